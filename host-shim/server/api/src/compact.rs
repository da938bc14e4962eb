//! Writes JSON without whitespace between its tokens, so that only what the sender said is stored and counted against a
//! budget.

/// Returns a valid JSON document without whitespace between tokens.
pub(crate) fn compact(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        if !is_text {
            is_text = *c == '"';
            return !matches!(c, ' ' | '\t' | '\n' | '\r');
        }
        is_text = is_escaped || *c != '"';
        is_escaped = !is_escaped && *c == '\\';
        true
    };
    json.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn blanks_between_tokens_are_not_kept_and_those_in_texts_are() {
        let cases = [
            ("{}", "{}"),
            (" {\n\t\"a b\" : [ 1 , -2.50e3 , null ] ,\r\n \"c\" : { } } ", r#"{"a b":[1,-2.50e3,null],"c":{}}"#),
            (r#"{ "q" : "say \" a b \" ", "s" : "\\" , "e" : "" }"#, r#"{"q":"say \" a b \" ","s":"\\","e":""}"#),
            (r#"{"ä ö" : "\u0041 é"}"#, r#"{"ä ö":"\u0041 é"}"#),
        ];
        for (json, expected) in cases {
            assert_eq!(compact(json), expected);
            let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            assert_eq!(read(&compact(json)), read(json));
        }
        assert_eq!(compact(&format!("{{{}}}", " ".repeat(100_000))), "{}");
    }
}
