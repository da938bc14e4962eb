use super::story::{BUSINESSES, Filled};
use end_to_end::world::business_named;
use host_tables::sqlite;

#[test]
fn dump() {
    for business in BUSINESSES {
        let mut filled = Filled::of(business);
        let tables = &business_named(business).tables;
        filled.connection.execute("VACUUM INTO ?1", [format!("/tmp/tables-{business}.db")]).unwrap();
        sqlite::apply(&mut filled.connection, tables, &filled.partition).expect("applied");
        for view in &tables.views {
            let name = sqlite::view_name(&filled.partition, &view.name);
            println!("== {name}");
            let mut all = filled.connection.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
            let names: Vec<String> = all.column_names().map(|x| x.to_string()).collect();
            let mut rows = all.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let row: Vec<String> = names.iter().enumerate().map(|(n, name)| format!("{name}={:?}", row.get::<_, rusqlite::types::Value>(n).unwrap())).collect();
                println!("  {}", row.join(" "));
            }
        }
    }
}
