//! Finds the tests of a target in its source files, which are parsed from the root module along the `mod` items.
//!
//! A test lists the ids that it covers in a comment above it or among its attributes: `// covers: S02, S03`.

use super::assertions;
use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Block, Expr, ExprLit, Ident, Item, ItemMod, Lit, Meta, Token, Visibility};

/// Prefix of a comment that lists ids.
pub const MARK: &str = "// covers:";

/// A test function of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Path of the test in the target, as the test program prints it: `module::function`.
    pub path: String,
    /// Ids that the test lists, each with its line number.
    pub file: PathBuf,
    /// Ids that the test names, each with its line number.
    pub ids: Vec<(String, usize)>,
    /// Number of assertions.
    pub assertions: usize,
}

/// A test function in the macro `proptest!`. Its parameters are not Rust syntax.
struct Generated {
    attributes: Vec<Attribute>,
    name: Ident,
    block: Block,
}

impl Parse for Generated {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<Token![fn]>()?;
        let name = input.parse()?;
        let parameters: TokenTree = input.parse()?;
        let is_list = matches!(&parameters, TokenTree::Group(_));
        if !is_list {
            return Err(syn::Error::new(parameters.span(), "no list of parameters"));
        }
        Ok(Generated { attributes, name, block: input.parse()? })
    }
}

/// The functions in a macro. Parsing fails if the macro contains anything else.
struct GeneratedTests(Vec<Generated>);

impl Parse for GeneratedTests {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_inner)?;
        let mut all = Vec::new();
        while !input.is_empty() {
            all.push(input.parse()?);
        }
        Ok(GeneratedTests(all))
    }
}

/// Returns the tests of the target with this root file: all tests in each file that contains a test with ids.
///
/// # Errors
///
/// Fails if a source file can't be read or parsed.
pub fn tests_of(root: &Path) -> Result<Vec<Test>> {
    let mut found = Vec::new();
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    read_module(root, &folder, "", &mut found)?;
    Ok(found)
}

/// Reads one file. `folder` is the folder of its modules' files. A file without ids and without modules is not parsed.
fn read_module(file: &Path, folder: &Path, path: &str, found: &mut Vec<Test>) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if !text.contains(MARK) && !text.contains("mod ") {
        return Ok(());
    }
    let syntax = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
    let helpers = if text.contains(MARK) { assertions::helpers(&syntax) } else { BTreeSet::new() };
    let source = Source { file, lines: text.lines().collect(), helpers };
    source.read(&syntax.items, &Folders { modules: folder, named: file.parent().unwrap_or(folder) }, path, found)
}

/// The folders of the files of modules that an item declares.
struct Folders<'a> {
    /// Folder of files with the module's name.
    modules: &'a Path,
    /// Folder to which paths in `#[path]` are relative.
    named: &'a Path,
}

/// A source file.
struct Source<'a> {
    file: &'a Path,
    lines: Vec<&'a str>,
    /// Names of the functions of the file that assert something.
    helpers: BTreeSet<String>,
}

impl Source<'_> {
    fn read(&self, items: &[Item], folders: &Folders<'_>, path: &str, found: &mut Vec<Test>) -> Result<()> {
        for item in items {
            match item {
                Item::Fn(function) => {
                    found.extend(self.test(&function.attrs, &function.sig.ident, &function.block, path));
                }
                Item::Macro(item) => found.extend(
                    generated(&item.mac.tokens)
                        .iter()
                        .filter_map(|function| self.test(&function.attributes, &function.name, &function.block, path)),
                ),
                Item::Mod(module) => self.read_inner(module, folders, path, found)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a module in braces or in its own file.
    fn read_inner(&self, module: &ItemMod, folders: &Folders<'_>, path: &str, found: &mut Vec<Test>) -> Result<()> {
        let name = module.ident.to_string();
        let inner = format!("{path}{name}::");
        if let Some((_, items)) = &module.content {
            let folder = folders.modules.join(&name);
            return self.read(items, &Folders { modules: &folder, named: &folder }, &inner, found);
        }
        if let Some(named) = path_attribute(&module.attrs) {
            let file = folders.named.join(named);
            let beside = file.parent().unwrap_or(Path::new("")).to_owned();
            return read_module(&file, &beside, &inner, found);
        }
        let folder = folders.modules;
        let files = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
        // A module excluded by a `cfg` need not have a file.
        match files.iter().find(|file| file.is_file()) {
            Some(file) => read_module(file, &folder.join(&name), &inner, found),
            None => Ok(()),
        }
    }

    /// Returns the function as a test, if it has a test attribute.
    fn test(&self, attributes: &[Attribute], name: &Ident, block: &Block, path: &str) -> Option<Test> {
        let is_test =
            |attribute: &Attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "test");
        let first = attributes.iter().any(is_test).then(|| attributes.first())??;
        Some(Test {
            path: format!("{path}{name}"),
            file: self.file.to_owned(),
            ids: self.ids(first.pound_token.span.start().line, name.span().start().line),
            assertions: assertions::count(block, &self.helpers),
        })
    }

    /// Returns the ids in comments directly above line `first` or between the lines `first` and `last`. Line numbers
    /// start at 1.
    fn ids(&self, first: usize, last: usize) -> Vec<(String, usize)> {
        let is_comment = |line: &&&str| line.trim_start().starts_with("//");
        let above = self.lines[..first - 1].iter().rev().take_while(is_comment).count();
        let block = self.lines.iter().enumerate().take(last).skip(first - 1 - above);
        block.flat_map(|(at, line)| ids_of(line).into_iter().flatten().map(move |id| (id.to_owned(), at + 1))).collect()
    }
}

/// Returns the ids in a line that begins with [`MARK`]. None for other lines.
pub fn ids_of(line: &str) -> Option<impl Iterator<Item = &str>> {
    let ids = line.trim_start().strip_prefix(MARK)?;
    Some(ids.split([',', ' ']).filter(|id| !id.is_empty()))
}

/// Returns the functions in a macro, which may be tests.
fn generated(tokens: &TokenStream) -> Vec<Generated> {
    syn::parse2::<GeneratedTests>(tokens.clone()).map(|tests| tests.0).unwrap_or_default()
}

/// Returns the names and bodies of the functions in a macro.
pub fn generated_blocks(tokens: &TokenStream) -> Vec<(String, Block)> {
    generated(tokens).into_iter().map(|function| (function.name.to_string(), function.block)).collect()
}

/// Returns the file of the attribute `#[path = "file"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| match &attribute.meta {
        Meta::NameValue(meta) => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tests of a target with these files. The first file is the target's root.
    fn tests_in(files: &[(&str, &str)]) -> Vec<Test> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            fs::write(file, text.replace("MARK", MARK)).expect("written");
        }
        tests_of(&folder.path().join(files[0].0)).expect("sources")
    }

    #[test]
    fn a_test_has_the_ids_above_it_and_among_its_attributes() {
        let text = "// No test.\nMARK S01\n\nfn helper() {}\n\n// Why.\nMARK S02, S03\n/// What.\nMARK S04\n#[test]\nfn shows() \
                    {\n    // covers nothing\n    assert!(true);\n}\n\n#[test]\nfn names_none() {}\n";
        let found = tests_in(&[("lib.rs", text)]);
        let ids = |at: usize| -> Vec<(&str, usize)> { found[at].ids.iter().map(|(id, line)| (&**id, *line)).collect() };
        assert_eq!(found.iter().map(|test| &*test.path).collect::<Vec<_>>(), ["shows", "names_none"]);
        assert_eq!((ids(0), ids(1)), (vec![("S02", 7), ("S03", 7), ("S04", 9)], vec![]));
        assert_eq!((found[0].assertions, found[1].assertions), (1, 0));
    }

    #[test]
    fn modules_are_followed_to_their_files() {
        let found = tests_in(&[
            (
                "tests/all.rs",
                "mod a;\n#[path = \"all/b.rs\"]\nmod b;\nmod inner {\n    mod c;\n    #[path = \"../all/far.rs\"]\n    mod d;\n}\nmod left_out;\n",
            ),
            ("tests/a.rs", "mod deep;\n"),
            ("tests/a/deep.rs", "MARK S01\n#[test]\nfn one() {}\n"),
            ("tests/all/b.rs", "mod beside;\nMARK S01\n#[tokio::test]\nasync fn two() {}\n"),
            ("tests/all/beside.rs", "MARK S01\n#[test]\nfn three() {}\n"),
            ("tests/all/far.rs", "MARK S01\n#[test]\nfn far() {}\n"),
            ("tests/inner/c/mod.rs", "MARK S01\n#[test]\nfn four() {}\n"),
            ("tests/not_compiled.rs", "MARK S01\n#[test]\nfn five() {}\n"),
        ]);
        let paths: Vec<&str> = found.iter().map(|test| test.path.as_str()).collect();
        assert_eq!(paths, ["a::deep::one", "b::beside::three", "b::two", "inner::c::four", "inner::d::far"]);
    }

    #[test]
    fn a_macro_with_functions_has_tests() {
        let text = "proptest! {\n    #![proptest_config(cases(1))]\n\n    /// Property.\n    MARK S17\n    #[test]\n    fn holds(a \
                    in 0..2u8, b: u64) {\n        prop_assert!(a < 2);\n        check(b)?;\n    }\n}\nmacro_rules! m { () => {}; }\n";
        let found = tests_in(&[("lib.rs", text)]);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].path, found[0].assertions), ("holds", 2));
        assert_eq!(found[0].ids, [("S17".to_owned(), 5)]);
    }
}
