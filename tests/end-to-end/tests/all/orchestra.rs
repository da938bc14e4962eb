//! Provisioning of Orchestra databases as data: the task queue of operators, and the tenant of each command.

mod queue;
mod tenants;
