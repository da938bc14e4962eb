//! 2Bot as data: the figures of the requirements, and permissions in organizations.

mod figures;
mod roles;
