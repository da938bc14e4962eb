//! Names as words: `api_requests` is `API requests`.

/// Words that are written in upper-case letters.
const ACRONYMS: [&str; 16] =
    ["api", "cdn", "cpu", "db", "gb", "id", "ip", "kb", "mb", "ram", "sla", "ssl", "sso", "tb", "url", "vm"];

/// Returns a name as words, the first one capitalized.
pub fn words(name: &str) -> String {
    let words = name.split(['_', '-', '.', ' ']).filter(|word| !word.is_empty());
    let words = words.enumerate().map(|(at, word)| match (ACRONYMS.contains(&word), at) {
        (true, _) => word.to_uppercase(),
        (false, 0) => {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
        (false, _) => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_name_becomes_words() {
        for (name, expected) in
            [("api_requests", "API requests"), ("storage_gb", "Storage GB"), ("a-b.c", "A b c"), ("", "")]
        {
            assert_eq!(words(name), expected);
        }
    }
}
