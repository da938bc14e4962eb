//! Functions that several tests of Tesslate use: the number of cases, and the rows of an account.

use proptest::test_runner::Config;
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns a configuration with `most` fixed cases, or with `PROPTEST_CASES` random cases.
pub fn cases(most: u32) -> Config {
    end_to_end::cases::cases(most, 200)
}

/// The rows of an account: purchases, or records of a collection, by id.
pub fn rows(document: &Value, account: &str, kind: &str) -> BTreeMap<String, Value> {
    let accounts = document["accounts"].as_array().into_iter().flatten();
    let own = accounts.filter(|rows| rows["account"] == account);
    let tables = own.flat_map(|rows| [&rows[kind], &rows["records"][kind]]);
    let listed = tables.filter_map(Value::as_array).flatten();
    listed.filter_map(|row| Some((row["id"].as_str()?.to_owned(), row["value"].clone()))).collect()
}
