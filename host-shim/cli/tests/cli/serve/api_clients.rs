//! What `provisioner api` writes for each business: the compiler of TypeScript accepts the client with all strict checks, and a public
//! validator the OpenAPI document. The test installs both, or fails with the line that installs them.

use super::clients::is_left_out;
use crate::run::{in_business, run_with};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Pinned packages: the compiler, and the validator.
const PACKAGES: [&str; 2] = ["typescript@5.9.3", "@seriousme/openapi-schema-validator@2.11.0"];
/// Time limit of one command.
const LIMIT: Duration = Duration::from_secs(120);
/// Businesses with routes.
const BUSINESSES: [&str; 5] = ["orchestra", "saas-plugins", "solobase", "tesslate", "twobot"];

fn packages() -> PathBuf {
    counterparts::node("api-client", &PACKAGES)
}

/// Writes what `provisioner api` prints into a file.
fn write(business: &str, format: &[&str], file: &Path) {
    let folder = in_business(business).display().to_string();
    let ran = run_with(&[&["api", &folder], format].concat(), b"", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    fs::write(file, ran.stdout).expect("written");
}

/// Compiles files in a folder with all strict checks.
fn compile(packages: &Path, folder: &Path, files: &[&str]) {
    let options = serde_json::json!({
        "compilerOptions": {
            "strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "noUnusedLocals": true,
            "noImplicitReturns": true, "target": "es2022", "module": "nodenext", "lib": ["es2023", "dom", "dom.iterable"],
            "types": [], "outDir": "out",
        },
        "files": files,
    });
    fs::write(folder.join("tsconfig.json"), options.to_string()).expect("written");
    fs::write(folder.join("package.json"), "{\"type\": \"module\"}").expect("written");
    let mut tsc = Command::new("node");
    counterparts::succeeds(tsc.arg(packages.join("node_modules/typescript/bin/tsc")).arg("-p").arg(folder), LIMIT);
}

#[test]
#[ignore = "installs a compiler; `cargo xtask test clients` runs it"]
fn the_document_and_the_client_of_every_business_are_valid() {
    if is_left_out("node") {
        return;
    }
    let packages = packages();
    for business in BUSINESSES {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("openapi.json");
        write(business, &["--format", "openapi"], &file);
        let mut node = Command::new("node");
        let program = packages.join("node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js");
        let out = counterparts::succeeds(node.arg(program).arg(&file), LIMIT);
        let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        assert_eq!(told["valid"], true, "{business}: {out}");
        write(business, &["--format", "typescript"], &folder.path().join("api.ts"));
        compile(&packages, folder.path(), &["api.ts"]);
    }
}
