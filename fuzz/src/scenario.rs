//! Fuzzes a scenario: the scenario is parsed and its events are built, or its problem is reported.

use host_scenario::error::Mistakes;
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_scenario::shapes::Shapes;
use std::path::Path;
use std::sync::LazyLock;

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes::built_in().expect("readable built-in shapes"));

/// Parses one scenario and builds its events.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let prepared = Scenario::parse(Path::new("story.yml"), text).and_then(|scenario| prepare(&scenario, &SHAPES));
    if let Err(Mistakes(mistakes)) = prepared {
        assert!(!mistakes.is_empty(), "a refusal without a mistake");
        assert!(mistakes.iter().all(|bad| !bad.problem.is_empty() && !bad.expected.is_empty()), "{mistakes:?}");
    }
}
