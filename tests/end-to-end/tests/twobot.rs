//! 2Bot as data: the figures of the requirements, and permissions in organizations.

mod twobot {
    mod figures;
    mod roles;
}
