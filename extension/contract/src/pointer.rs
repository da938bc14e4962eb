//! The parts of a JSON Pointer (RFC 6901).

/// Returns the part of a JSON Pointer that leads to a member.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Returns the name of the member to which a part of a JSON Pointer leads.
pub fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_a_round_trip() {
        for (name, part) in [("a/b~c", "a~1b~0c"), ("~1", "~01"), ("", "")] {
            assert_eq!((escaped(name).as_str(), unescaped(part).as_str()), (part, name));
        }
    }
}
