//! The values of `--format`. Each command accepts only the formats that it can write.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    Human,
    /// JSON lines
    Json,
    /// JUnit XML
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

/// A format that a command accepts, and its line in the command's help.
pub type Accepted = (Format, &'static str);

/// [`Format::Human`] with a general help text, for commands that do not need their own.
pub const HUMAN: Accepted = (Format::Human, "For people");
/// [`Format::Json`] with a line for each part of the report.
pub const JSON: Accepted = (Format::Json, "JSON lines");
/// [`Format::Junit`].
pub const JUNIT: Accepted = (Format::Junit, "JUnit XML");
/// [`Format::Github`].
pub const GITHUB: Accepted = (Format::Github, "Annotations of GitHub Actions");

/// Returns the parser of a command's `--format`. It refuses all formats that are not in `accepted`, so that the command
/// does not need to handle them: its match on the format may end with `_` for [`Format::Human`]. The help lists only
/// the accepted formats.
pub fn formats(accepted: &[Accepted]) -> impl TypedValueParser<Value = Format> + use<> {
    let value = |(format, help): &Accepted| Some(format.to_possible_value()?.help(*help));
    let values: Vec<_> = accepted.iter().filter_map(value).collect();
    PossibleValuesParser::new(values).try_map(|name| <Format as ValueEnum>::from_str(&name, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};

    #[test]
    fn only_accepted_formats_are_parsed() {
        for (name, format) in [("human", Some(Format::Human)), ("github", Some(Format::Github)), ("junit", None)] {
            let command = Command::new("x").arg(Arg::new("format").value_parser(formats(&[HUMAN, GITHUB])));
            let parsed = command.try_get_matches_from(["x", name]).ok();
            assert_eq!(parsed.and_then(|matches| matches.get_one("format").copied()), format, "{name}");
        }
    }
}
