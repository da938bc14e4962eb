//! 2Bot as data: its figures as the requirements list them, and who may what in its organizations.

mod twobot {
    mod figures;
    mod roles;
}
