//! Classifies tests and scenarios by kind, and decides whether a kind satisfies a letter of an id's verification code.
//! The letters come from the requirements: U is a test of the pure engine, F events replayed through the host, A a
//! provider against a server, E the running server over HTTP, and D an inspection by a script.

use std::path::Path;

/// The kind of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A test of a crate.
    Unit,
    /// Events are replayed through the host: a scenario, or a test that does the same.
    Replay,
    /// A provider talks to a server.
    Provider,
    /// A client talks to the running server.
    Server,
}

/// Prefixes of the paths of tests that talk to the running server.
const SERVER: [&str; 2] = ["tests/end-to-end/tests/all/over_http", "host-shim/cli/tests"];
/// Prefixes of the paths of tests of providers, and of tests of what is in a real database or at a Stripe server.
const PROVIDER: [&str; 4] = [
    "host-shim/providers",
    "tests/counterparts",
    "tests/end-to-end/tests/all/tables/postgres",
    "tests/end-to-end/tests/all/twobot/at_stripe.rs",
];
/// Prefixes of the paths of tests that replay events.
const REPLAY: [&str; 4] = ["fixtures", "examples", "tests/end-to-end", "host-shim/lab"];

impl Kind {
    /// Returns the kind of a case by its file, relative to the root.
    pub fn of(file: &Path) -> Kind {
        // A comparison of paths would go by whole names, but `over_http` must also match the file `over_http.rs`.
        let begins = |all: &[&str]| all.iter().any(|start| file.to_string_lossy().starts_with(start));
        if begins(&SERVER) {
            Kind::Server
        } else if begins(&PROVIDER) {
            Kind::Provider
        } else if begins(&REPLAY) {
            Kind::Replay
        } else {
            Kind::Unit
        }
    }

    /// Returns whether a case of this kind satisfies a letter. A replay also runs the pure engine; a script may be any test.
    pub fn does_for(self, letter: char) -> bool {
        match letter {
            'U' => matches!(self, Kind::Unit | Kind::Replay),
            'F' => matches!(self, Kind::Replay | Kind::Server),
            'A' => self == Kind::Provider,
            'E' => self == Kind::Server,
            _ => letter == 'D',
        }
    }
}

/// The letters of verification codes.
pub const LETTERS: &str = "UFAED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_case_is_told_by_its_place() {
        for (file, kind) in [
            ("fixtures/businesses/tesslate/scenarios/a.yml", Kind::Replay),
            ("tests/end-to-end/tests/all/twobot/figures.rs", Kind::Replay),
            ("tests/end-to-end/tests/all/over_http/tesslate.rs", Kind::Server),
            ("host-shim/cli/tests/cli/serve.rs", Kind::Server),
            ("host-shim/providers/tests/servers/stripe/errors.rs", Kind::Provider),
            ("extension/src/catalog/amount.rs", Kind::Unit),
            ("xtask/tests/house.rs", Kind::Unit),
        ] {
            assert_eq!(Kind::of(Path::new(file)), kind, "{file}");
        }
    }

    #[test]
    fn only_a_case_of_its_kind_does_for_a_letter() {
        let does = |kind: Kind| LETTERS.chars().filter(|letter| kind.does_for(*letter)).collect::<String>();
        assert_eq!([Kind::Unit, Kind::Replay, Kind::Provider, Kind::Server].map(does), ["UD", "UFD", "AD", "FED"]);
    }
}
