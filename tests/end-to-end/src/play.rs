//! Ways to play a story.

use crate::story::{Delivery, Part};
use crate::world::World;
use host_store::StoreError;

/// Plays a part: advances the clock, delivers Stripe events, runs their effects, then runs each command with its
/// effects.
///
/// # Errors
///
/// If the store fails.
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
/// If the store fails.
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
