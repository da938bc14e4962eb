//! Counts the assertions of tests: expressions that can make a test fail.

use super::source;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprMethodCall, ExprTry, File, ImplItemFn, ItemFn, ItemMacro, Local, Macro};

/// Counts the assertions of a function: assertion macros and `panic!`, `?`, `expect` and `expect_err` outside a `let`,
/// and calls of `helpers`, the functions of the same file that assert something.
pub fn count(block: &Block, helpers: &BTreeSet<String>) -> usize {
    let mut counter = Counter { helpers, found: 0, in_let: false };
    counter.visit_block(block);
    counter.found
}

/// Returns the names of the functions in a file that assert something, either directly or by calling each other.
pub fn helpers(file: &File) -> BTreeSet<String> {
    let mut functions = Functions(Vec::new());
    functions.visit_file(file);
    let mut found = BTreeSet::new();
    loop {
        let more: Vec<String> = functions
            .0
            .iter()
            .filter(|(name, block)| !found.contains(name) && count(block, &found) > 0)
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Collects the functions of a file.
struct Functions(Vec<(String, Block)>);

impl Visit<'_> for Functions {
    fn visit_item_fn(&mut self, function: &ItemFn) {
        self.0.push((function.sig.ident.to_string(), Block::clone(&function.block)));
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        self.0.push((function.sig.ident.to_string(), function.block.clone()));
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_item_macro(&mut self, item: &ItemMacro) {
        self.0.extend(source::generated_blocks(&item.mac.tokens));
    }
}

/// Counts the assertions of one function.
struct Counter<'a> {
    helpers: &'a BTreeSet<String>,
    found: usize,
    /// True within a `let`, where `expect` gets a value and is not an assertion.
    in_let: bool,
}

impl Visit<'_> for Counter<'_> {
    fn visit_local(&mut self, local: &Local) {
        let before = std::mem::replace(&mut self.in_let, true);
        visit::visit_local(self, local);
        self.in_let = before;
    }

    fn visit_macro(&mut self, called: &Macro) {
        let name = called.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        self.found += if is_assertion(&name) { 1 } else { assertions_in(&called.tokens) };
    }

    fn visit_expr_try(&mut self, expression: &ExprTry) {
        self.found += 1;
        visit::visit_expr_try(self, expression);
    }

    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        let name = call.method.to_string();
        let must_be = ["expect", "expect_err"].contains(&name.as_str()) && !self.in_let;
        self.found += usize::from(must_be || self.helpers.contains(&name));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &ExprCall) {
        if let Expr::Path(function) = &*call.func {
            let name = function.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            self.found += usize::from(self.helpers.contains(&name));
        }
        visit::visit_expr_call(self, call);
    }
}

fn is_assertion(name: &str) -> bool {
    name.contains("assert") || name == "panic"
}

/// Counts the assertions in the tokens of a macro, which need not be Rust syntax.
fn assertions_in(tokens: &TokenStream) -> usize {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let inner: usize = tokens
        .iter()
        .map(|token| match token {
            TokenTree::Group(group) => assertions_in(&group.stream()),
            _ => 0,
        })
        .sum();
    let called = tokens.windows(2).filter(|pair| {
        matches!(pair, [TokenTree::Ident(name), TokenTree::Punct(mark)]
            if mark.as_char() == '!' && is_assertion(&name.to_string()))
    });
    inner + called.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> usize {
        let file = syn::parse_file(text).expect("Rust");
        let Some(syn::Item::Fn(function)) = file.items.first() else { panic!("a function comes first") };
        count(&function.block, &helpers(&file))
    }

    #[test]
    fn expressions_that_can_fail_a_test_are_counted() {
        assert_eq!(counted("fn t() { assert_eq!(1, 1); panic!(\"no\"); prop_assert!(true); }"), 3);
        assert_eq!(counted("fn t() -> R { told()?; Ok(()) }"), 1);
        assert_eq!(counted("fn t() { run().expect(\"it runs\"); read().expect_err(\"no file\"); }"), 2);
        assert_eq!(counted("fn t() { proptest!(|(a in b)| { prop_assert_eq!(a, 1); }); }"), 1);
    }

    #[test]
    fn other_expressions_are_not_counted() {
        assert_eq!(counted("fn t() { run(); /* assert!(false) */ \"assert!(a)\"; }"), 0);
        assert_eq!(counted("fn t() { let file = read().expect(\"a file\"); println!(\"{file}\"); }"), 0);
    }

    #[test]
    fn a_test_may_assert_through_functions_of_its_file() {
        assert_eq!(
            counted("fn t() { agree(1); } fn agree(a: u8) { check(a) } fn check(a: u8) { assert_eq!(a, 1) }"),
            1
        );
        assert_eq!(counted("fn t() { case().held(); } struct C; impl C { fn held(&self) { assert!(true) } }"), 1);
        assert_eq!(counted("fn t() { look(); } fn look() { run(); }"), 0);
    }
}
