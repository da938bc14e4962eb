//! The views in SQLite.

use super::story::{BUSINESSES, Filled, tables};

#[test]
fn each_view_of_each_business_has_rows() {
    for business in BUSINESSES {
        let filled = Filled::with_views(business);
        for view in &tables(business).views {
            let rows = filled.rows(view);
            println!("{business} {} {rows:#?}", view.name);
            if (business, view.name.as_str()) != ("solobase", "purchases") {
                assert!(!rows.is_empty(), "{business} {}", view.name);
            }
        }
    }
}
