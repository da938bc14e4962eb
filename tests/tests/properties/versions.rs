use super::support::{cases, played, same_state, told};
use end_to_end::model::{moves, story};
use end_to_end::story::VERSIONS;
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(24))]

    /// Property 6: re-shaping.
    // covers: S79
    #[test]
    fn a_story_in_another_api_version_ends_in_the_same_state(moves in moves(8)) {
        let story = story("A", &moves);
        let [old, new] = VERSIONS.map(|version| played(&story.told_in(version)));
        told("versions", &[&story], same_state(&old, &new, "the versions differ"))?;
    }
}
