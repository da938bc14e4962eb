//! Ways to play a story, and the events of a scenario.

use crate::story::{Delivery, Part};
use crate::world::{World, fixtures};
use host_scenario::model::Scenario;
use host_scenario::prepare::prepare;
use host_store::StoreError;
use std::path::Path;

/// Returns the bodies of a scenario's events in its first API version.
///
/// # Panics
///
/// Panics if the text is not a scenario.
pub fn bodies(scenario: &str) -> Vec<Vec<u8>> {
    let scenario = Scenario::parse(Path::new("events.yml"), scenario).expect("a scenario");
    let cases = prepare(&scenario, &fixtures().shapes).expect("bodies");
    cases[0].deliveries.iter().flatten().map(|delivery| delivery.bytes.clone()).collect()
}

/// Plays a part: advances the clock, delivers Stripe events, runs their effects, then runs each command with its
/// effects.
///
/// # Errors
///
/// Fails if the store fails.
pub fn part(world: &mut World, part: &Part) -> Result<(), StoreError> {
    world.advance_to(part.clock)?;
    for event in &part.events {
        world.deliver(&event.bytes)?;
    }
    world.settle()?;
    commands(world, &part.commands)
}

/// Plays commands one by one, each with its effects.
///
/// # Errors
///
/// Fails if the store fails.
pub fn commands(world: &mut World, commands: &[Delivery]) -> Result<(), StoreError> {
    for command in commands {
        world.deliver(&command.bytes)?;
        world.settle()?;
    }
    Ok(())
}

/// Plays a whole story on a host whose store does not fail.
pub fn whole(world: &mut World, parts: &[Part]) {
    for each in parts {
        part(world, each).expect("the store has no fault");
    }
}
