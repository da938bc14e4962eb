//! Ways to play a story.

use crate::story::{Delivery, Part};
use crate::world::World;
use extension_contract::StoreError;

/// Plays a part: time passes, the provider's events come in, then what they asked for is done, then each command with
/// what it asks for.
pub fn part(world: &mut World, part: &Part) -> Result<(), StoreError> {
    world.advance_to(part.clock)?;
    for event in &part.events {
        world.deliver(&event.bytes)?;
    }
    world.settle()?;
    commands(world, &part.commands)
}

/// Plays commands one by one, each with what it asks for.
pub fn commands(world: &mut World, commands: &[Delivery]) -> Result<(), StoreError> {
    for command in commands {
        world.deliver(&command.bytes)?;
        world.settle()?;
    }
    Ok(())
}

/// Plays all of a story on a host whose store does not fail.
pub fn whole(world: &mut World, parts: &[Part]) {
    for each in parts {
        part(world, each).expect("the store has no fault");
    }
}
