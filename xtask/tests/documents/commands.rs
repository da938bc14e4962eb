//! Each command of a document exists: the chores of `cargo xtask`, the commands of `provisioner`, and their options.

use super::{Document, documents, files, root};
use std::collections::BTreeMap;
use std::fs;

/// Returns the variants of an enum as clap names them.
fn variants(file: &str, name: &str) -> Vec<String> {
    let text = Document::read(file).text;
    let (_, body) = text.split_once(&format!("enum {name} {{\n")).expect("the enum");
    let body = body.split("\n}\n").next().expect("its end");
    let names = body.lines().filter_map(|line| line.trim().split_once('(').map(|(name, _)| name));
    let names = names.filter(|name| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric));
    let mut all: Vec<String> = names.map(kebab).collect();
    all.sort();
    all.dedup();
    all
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Returns the help texts of commands that a test keeps, by command.
fn helps() -> BTreeMap<String, String> {
    let folder = root().join("host-shim/cli/tests/golden");
    let mut helps = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("help texts") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(command) = name.strip_suffix("-help.txt") {
            helps.insert(command.to_owned(), fs::read_to_string(&path).expect("a help text"));
        }
    }
    helps
}

/// Returns what follows a program in the commands of a document, and the number of its line. Lines that end with `\` go on.
fn calls<'d>(document: &'d Document, program: &'d str) -> impl Iterator<Item = (usize, String)> + 'd {
    let whole = document.text.replace("\\\n", " ");
    let starts = whole.match_indices(program).map(|(at, _)| at).collect::<Vec<_>>();
    starts.into_iter().filter_map(move |at| {
        let before = whole[..at].chars().next_back();
        // In prose, a name of the program is no command; a command stands in a code span or on a line of a block.
        let is_command = before.is_none_or(|letter| "`\n$ /".contains(letter));
        let rest = &whole[at + program.len()..];
        let rest = rest.strip_prefix(' ')?;
        let end = rest.find(['\n', '`', '|', ';', '>', '<', '#', '…']).unwrap_or(rest.len());
        let line = whole[..at].matches('\n').count() + 1;
        is_command.then(|| (line, rest[..end].to_owned()))
    })
}

/// Returns the words that name commands: small letters and dashes.
fn is_name(word: &str) -> bool {
    word.len() > 2 && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') && !word.starts_with('-')
}

#[test]
fn each_chore_of_a_document_exists() {
    let chores = variants("xtask/src/bin/xtask.rs", "Chore");
    assert!(chores.contains(&"cargo-component".to_owned()), "{chores:?}");
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents() {
        for (line, rest) in calls(&document, "cargo xtask") {
            let Some(word) = rest.split_whitespace().next().filter(|word| is_name(word)) else { continue };
            seen += 1;
            if !chores.iter().any(|chore| chore == word) {
                wrong.push(format!("{}:{line}: `cargo xtask {word}`", document.path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "expected {chores:?}");
    assert!(seen > 30, "{seen} commands");
}

#[test]
fn each_command_of_provisioner_exists_with_its_options() {
    let (commands, helps) = (variants("host-shim/cli/src/main.rs", "Command"), helps());
    assert!(commands.contains(&"check-wit".to_owned()) && helps.contains_key("serve"), "{commands:?}");
    // The options of `stripe` are those of the local Stripe.
    let sources = ["host-shim/cli/src", "local-stripe/src"].into_iter().flat_map(|folder| files(folder, ".rs"));
    let members: String = sources.map(|file| Document::read(file).text).collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    // The programs of other businesses are not tests of ours: only documents of this folder and the first page.
    for document in
        documents().iter().filter(|document| document.path.starts_with("docs") || document.path.ends_with("README.md"))
    {
        for (line, rest) in
            document.lines().filter(|(.., is_code)| *is_code).flat_map(|(at, line, _)| of_line(at, line))
        {
            let mut words = rest.split_whitespace();
            let Some(command) = words.next().filter(|word| is_name(word)) else { continue };
            seen += 1;
            let place = format!("{}:{line}", document.path.display());
            if !commands.iter().any(|known| known == command) {
                wrong.push(format!("{place}: `provisioner {command}`"));
            }
            let options = words.filter_map(|word| word.split('=').next().filter(|word| word.starts_with("--")));
            let help = helps.get(command);
            let unknown = options.filter(|option| option.len() > 2 && !has_option(help, &members, option));
            wrong.extend(unknown.map(|option| format!("{place}: `provisioner {command} {option}`")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 60, "{seen} commands");
}

/// Returns the calls of one line of a block.
fn of_line(at: usize, line: &str) -> Vec<(usize, String)> {
    let document = Document { path: "line".into(), text: line.to_owned() };
    calls(&document, "provisioner").map(|(_, rest)| (at, rest)).collect()
}

/// Returns true if a command has an option. A command with commands of its own, such as `keys make`, keeps the help of the outer one only,
/// and some keep none; then a member of the command line's options must have the name.
fn has_option(help: Option<&String>, members: &str, option: &str) -> bool {
    let name = option.trim_start_matches('-').replace('-', "_");
    let is_member = members.contains(&format!(" {name}: "));
    match help {
        _ if ["--help", "--version"].contains(&option) => true,
        Some(help) if !help.contains("<COMMAND>") => help.contains(option),
        _ => is_member,
    }
}

#[test]
fn commands_are_read_from_code() {
    let text =
        "Run `cargo xtask replay -- x` or\n```sh\ncargo xtask serve --local\n```\nThe program provisioner serves.\n";
    let document = Document { path: "a.md".into(), text: text.into() };
    let found: Vec<_> = calls(&document, "cargo xtask").collect();
    assert_eq!(found, [(1, "replay -- x".to_owned()), (3, "serve --local".to_owned())]);
    assert_eq!(kebab("CheckWit"), "check-wit");
    let help = "Usage: provisioner serve [OPTIONS]\n  --local\n".to_owned();
    assert!(has_option(Some(&help), "", "--local") && !has_option(Some(&help), "    nowhere: bool,", "--nowhere"));
    let outer = "Usage: provisioner keys <COMMAND>".to_owned();
    assert!(has_option(Some(&outer), "    to_whom: String,", "--to-whom") && !has_option(None, "", "--to-whom"));
}
