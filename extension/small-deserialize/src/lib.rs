//! `#[derive(SmallDeserialize)]`: derives serde's `Deserialize` for a struct with named fields, with less generated
//! code.
//!
//! Serde's own derive keeps each field in an option, defines a type for the names, and also reads sequences: for a
//! hundred structs that is half of a component. `SmallDeserialize` starts from the default values, looks names up in a
//! table and overwrites the fields. It supports `default`, `deny_unknown_fields`, `rename` and `deserialize_with`,
//! ignores `skip_serializing_if`, and rejects other attributes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, LitStr, Path, Result};

/// Maximum number of fields of a struct: each field is a bit of a `u64`.
const FIELDS_MAX: usize = 64;

/// Derives serde's `Deserialize` for a struct with named fields; the documentation of the crate gives the details.
#[proc_macro_derive(SmallDeserialize, attributes(serde))]
pub fn derive(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// The `serde` attributes of a struct.
#[derive(Default)]
struct Container {
    default: bool,
    deny_unknown_fields: bool,
}

/// How to read a field.
struct Member {
    name: String,
    /// Value of a missing field; `None` for a required field.
    absent: Option<TokenStream>,
    with: Option<Path>,
}

/// Calls `read` for each key of the `serde` attributes.
fn each(attributes: &[Attribute], mut read: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>) -> Result<()> {
    let own = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    for attribute in own {
        attribute.parse_nested_meta(|meta| read(&meta))?;
    }
    Ok(())
}

fn container(input: &DeriveInput) -> Result<Container> {
    let mut out = Container::default();
    each(&input.attrs, |meta| {
        match () {
            () if meta.path.is_ident("default") && !meta.input.peek(syn::Token![=]) => out.default = true,
            () if meta.path.is_ident("deny_unknown_fields") => out.deny_unknown_fields = true,
            () => {
                return Err(meta.error("expected `default` or `deny_unknown_fields`; else derive serde's Deserialize"));
            }
        }
        Ok(())
    })?;
    Ok(out)
}

fn member(field: &Field) -> Result<Member> {
    let name = field.ident.as_ref().map(|name| name.to_string().trim_start_matches("r#").to_owned());
    let mut out = Member { name: name.unwrap_or_default(), absent: None, with: None };
    let nothing = quote!(::core::default::Default::default());
    each(&field.attrs, |meta| {
        match () {
            () if meta.path.is_ident("default") && !meta.input.peek(syn::Token![=]) => {
                out.absent = Some(nothing.clone())
            }
            () if meta.path.is_ident("default") => {
                let path: Path = meta.value()?.parse::<LitStr>()?.parse()?;
                out.absent = Some(quote!(#path()));
            }
            () if meta.path.is_ident("rename") => out.name = meta.value()?.parse::<LitStr>()?.value(),
            () if meta.path.is_ident("deserialize_with") => out.with = Some(meta.value()?.parse::<LitStr>()?.parse()?),
            // Only serialization uses `skip_serializing_if`.
            () if meta.path.is_ident("skip_serializing_if") => drop(meta.value()?.parse::<LitStr>()?),
            () => {
                let message = "expected `default`, `rename`, `deserialize_with` or `skip_serializing_if`; else derive serde's Deserialize";
                return Err(meta.error(message));
            }
        }
        Ok(())
    })?;
    if out.absent.is_none() && out.with.is_none() && is_option(field) {
        out.absent = Some(nothing);
    }
    Ok(out)
}

fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(name, "expected a struct; derive serde's Deserialize for enums and unions"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(
            name,
            "expected named fields; derive serde's Deserialize for tuple and unit structs",
        ));
    };
    if !input.generics.params.is_empty() || fields.named.len() > FIELDS_MAX {
        return Err(Error::new_spanned(
            name,
            format!("expected no generic parameters, and at most {FIELDS_MAX} fields"),
        ));
    }
    let container = container(input)?;
    let members = fields.named.iter().map(member).collect::<Result<Vec<Member>>>()?;
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let idents: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let locals: Vec<_> = (0..members.len()).map(|index| format_ident!("field{index}")).collect();
    // With `#[serde(default)]` on the struct, fields are stored into its default value. Otherwise each field is a local
    // variable, and a required field is an option.
    let (begin, end) = match container.default {
        true => (quote!(let mut out = <#name as ::core::default::Default>::default();), quote!(out)),
        false => {
            let begin = members.iter().zip(&locals).map(|(member, local)| match &member.absent {
                Some(absent) => quote!(let mut #local = #absent;),
                None => quote!(let mut #local = ::core::option::Option::None;),
            });
            let end = members.iter().zip(&locals).zip(&idents).map(|((member, local), ident)| match &member.absent {
                Some(_) => quote!(#ident: #local),
                None => {
                    let name = &member.name;
                    quote!(#ident: #local.ok_or_else(|| ::serde::de::Error::missing_field(#name))?)
                }
            });
            (quote!(#(#begin)*), quote!(#name { #(#end,)* }))
        }
    };
    let arms = members.iter().zip(&fields.named).enumerate().map(|(index, (member, field))| {
        let (ident, local, ty) = (&field.ident, &locals[index], &field.ty);
        let (wrapper, read) = match &member.with {
            None => (None, quote!(::extension_reader::member::<#ty, A>(&mut map)?)),
            Some(with) => {
                let wrapper = format_ident!("Field{index}");
                let declared = quote! {
                    struct #wrapper(#ty);
                    impl<'de> ::serde::Deserialize<'de> for #wrapper {
                        fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                            #with(from).map(#wrapper)
                        }
                    }
                };
                (Some(declared), quote!(::extension_reader::member::<#wrapper, A>(&mut map)?.0))
            }
        };
        let store = match (container.default, &member.absent) {
            (true, _) => quote!(out.#ident = #read),
            (false, Some(_)) => quote!(#local = #read),
            (false, None) => quote!(#local = ::core::option::Option::Some(#read)),
        };
        quote!(#index => { #wrapper #store; })
    });
    let unknown = match container.deny_unknown_fields {
        true => quote!(return ::core::result::Result::Err(::serde::de::Error::unknown_field(key.as_str(), NAMES))),
        false => quote!({
            ::extension_reader::member::<::serde::de::IgnoredAny, A>(&mut map)?;
        }),
    };
    let text = name.to_string();
    Ok(quote! {
        const _: () = {
            const NAMES: &[&str] = &[#(#names),*];
            struct Visitor;
            impl<'de> ::serde::de::Visitor<'de> for Visitor {
                type Value = #name;
                fn expecting(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> ::core::result::Result<#name, A::Error> {
                    #begin
                    let mut seen = 0u64;
                    while let ::core::option::Option::Some(key) = ::serde::de::MapAccess::next_key::<::extension_reader::Key<'de>>(&mut map)? {
                        let index = key.index_in(NAMES).unwrap_or(usize::MAX);
                        if index < NAMES.len() {
                            if seen & (1 << index) != 0 {
                                return ::core::result::Result::Err(::serde::de::Error::duplicate_field(NAMES[index]));
                            }
                            seen |= 1 << index;
                        }
                        match index {
                            #(#arms)*
                            _ => #unknown,
                        }
                    }
                    ::core::result::Result::Ok(#end)
                }
            }
            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                    ::serde::Deserializer::deserialize_struct(from, #text, NAMES, Visitor)
                }
            }
        };
    })
}

/// Returns whether the field's type is `Option`. Such a field may be missing.
fn is_option(field: &Field) -> bool {
    match &field.ty {
        syn::Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Option"),
        _ => false,
    }
}
