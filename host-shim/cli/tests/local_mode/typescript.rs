//! A user of Tesslate Studio with the client in TypeScript that `provisioner api` writes: from the registration to a deployed project and
//! a cancelled plan. The compiler accepts the client with all strict checks.

use super::{Server, root};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Pinned package of the compiler.
const COMPILER: &str = "typescript@5.9.3";
/// Time limit of one command.
const LIMIT: Duration = Duration::from_secs(120);

/// Compiles files in a folder with all strict checks.
fn compile(folder: &Path) {
    let options = serde_json::json!({
        "compilerOptions": {
            "strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "noUnusedLocals": true,
            "noImplicitReturns": true, "target": "es2022", "module": "nodenext", "lib": ["es2023", "dom", "dom.iterable"],
            "types": [], "outDir": "out",
        },
        "files": ["billing.ts", "studio.ts"],
    });
    fs::write(folder.join("tsconfig.json"), options.to_string()).expect("written");
    fs::write(folder.join("package.json"), "{\"type\": \"module\"}").expect("written");
    let compiler = counterparts::node("typescript", &[COMPILER]).join("node_modules/typescript/bin/tsc");
    counterparts::succeeds(Command::new("node").arg(compiler).arg("-p").arg(folder), LIMIT);
}

#[test]
#[ignore = "installs a compiler and runs the full program; `cargo xtask test full-host` runs it"]
fn a_user_registers_buys_deploys_and_cancels_with_the_client_in_typescript() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut api = Command::new(root().join("dist/provisioner"));
    api.args(["api", "fixtures/businesses/tesslate", "--format", "typescript", "--client", "billingApi"])
        .current_dir(root());
    fs::write(folder.path().join("billing.ts"), counterparts::succeeds(&mut api, LIMIT)).expect("written");
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local_mode/studio.ts");
    fs::copy(story, folder.path().join("studio.ts")).expect("copied");
    compile(folder.path());
    let server = Server::start_with("tesslate", &folder.path().join("data"), &["--local", "--simulate"], &[]);
    let mut node = Command::new("node");
    node.arg(folder.path().join("out/studio.js")).arg(format!("http://{}", server.address));
    let out = counterparts::succeeds(&mut node, LIMIT);
    assert!(out.contains("a user bought and cancelled a plan, and a project runs"), "{out}");
}
