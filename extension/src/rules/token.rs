//! Tokens: an account that is entitled to a product can issue a token, redeem it for a temporary grant, and revoke it.
//! Each issue, redemption, revocation and refusal is an entry of the account's `access_log`.
//!
//! The host generates the token and shows it to the caller; the extension receives only its hash.

use crate::catalog::built_in_facts;
use crate::catalog::price_rows::with_id;
use crate::catalog::product::{required_text, text};
use crate::catalog::schema::{TokenDecl, TypeDecl};
use crate::catalog::template::Scope;
use crate::derive::standing::{AccountStanding, standing};
use crate::desk::Desk;
use crate::desk::react::publish;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, internal, wrong_field};
use crate::model::ids::ProductId;
use crate::model::json::{Object, decode, encode};
use crate::model::keys::{ClaimKey, EffectKey};
use crate::model::records::token::{Access, Token, TokenStatus};
use crate::model::time::rfc3339;
use extension_contract::*;
use serde_json::{Value, json};
use std::rc::Rc;

/// Number of random bytes of a token (PLG-42).
const TOKEN_BYTES: u32 = 32;

/// Number of hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// Maximum length of an IP address in bytes: an IPv6 address with an embedded IPv4 address.
const IP_BYTES: usize = 45;

/// A token declaration of a product's type, with the product's fields.
struct ProductToken {
    decl: Rc<TypeDecl>,
    index: usize,
    fields: Object,
}

impl ProductToken {
    /// Returns the product's token with this name, or the product's first token for `None`.
    fn find(desk: &Desk<'_>, product: &str, name: Option<&str>) -> Ruled<Option<ProductToken>> {
        let Some(row) = desk.catalog.product(product)? else { return Ok(None) };
        let Some(decl) = desk.catalog.type_named(&row.values.product_type)? else { return Ok(None) };
        let index = decl.tokens.iter().position(|token| name.is_none_or(|name| token.name == name));
        let fields = with_id(&*desk.catalog.metadata(product)?, product);
        Ok(index.map(|index| ProductToken { decl, index, fields }))
    }

    fn token(&self) -> &TokenDecl {
        &self.decl.tokens[self.index]
    }

    /// Fills in templates with the product's fields.
    fn fill_in(&self, templates: &Object) -> Ruled<Object> {
        let scope = Scope::default().fields("product", &self.fields);
        scope
            .fill_object(templates)
            .map_err(|place| internal(format!("unknown placeholder `{{{place}}}` in token {}", self.token().name)))
    }

    /// Returns the entitlement that the token requires.
    fn entitlement(&self) -> Ruled<String> {
        let scope = Scope::default().object("product", &self.fields);
        let filled = scope.fill(&json!(self.token().condition.entitlement()));
        let filled = filled
            .map_err(|place| internal(format!("unknown placeholder `{{{place}}}` in token {}", self.token().name)))?;
        Ok(filled.as_str().unwrap_or_default().to_owned())
    }
}

/// `token.issue`: checks the subscription, then the product, then the number of live tokens (PLG-40).
pub(super) fn issue(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (product, name, ip) = (ProductId::from(required_text(body, "product")?), text(body, "name")?, ip(body)?);
    let Some(product_token) = ProductToken::find(desk, &product, name.as_deref())? else {
        let place = if ProductToken::find(desk, &product, None)?.is_some() { "/name" } else { "/product" };
        let (found, expected) =
            ("unknown token", "a product of a type with `tokens`, and the name of one of its tokens");
        return Err(wrong_field(place, FieldErrorCode::NotAllowed, found, expected));
    };
    let entitlement = product_token.entitlement()?;
    let standing = standing(desk)?;
    let refused = match standing.allows(&entitlement) != 0 {
        true => None,
        false if has_paid(&standing) => Some("product_not_included"),
        false => Some("subscription_required"),
    };
    if let Some(code) = refused {
        return log_refusal(desk, "token_refused", None, &product, ip, Refusal::RequirementUnmet(code.to_owned()));
    }
    let decl = product_token.token();
    let now = desk.now;
    let is_same = |token: &Token| {
        token.is_live() && token.expires_at > now && token.product == product && token.name == decl.name
    };
    let live = desk.account.all::<Token>()?.iter().filter(|(_, token)| is_same(token)).count() as i64;
    if live >= i64::from(decl.at_most) {
        let (quota, allowed) = (format!("token:{}", decl.name), i64::from(decl.at_most));
        let refusal = QuotaRefusal { quota, allowed, used: live, upgrade: None };
        return log_refusal(desk, "token_refused", None, &product, ip, Refusal::QuotaExceeded(refusal));
    }
    let id = format!("tok_{}", desk.event_hash());
    desk.account.claim([ClaimKey::Token(&id)])?;
    let payload = json!({"bytes": TOKEN_BYTES, "show_to": desk.actor.subject, "prefix": id});
    let about = Correlation::Token { token: id.clone(), ip };
    let effect = request(&EffectKey::Token { token: id.clone() }, &payload, Some(&about))?;
    desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
    let token = Token {
        name: decl.name.clone(),
        product,
        entitlement,
        subject: desk.actor.subject.clone(),
        issued_at: desk.now,
        expires_at: decl.ttl.after(desk.now),
        ..Token::default()
    };
    desk.account.load::<Token>(std::slice::from_ref(&id))?;
    desk.account.put(&id, token);
    Ok(Outcome::Applied.into())
}

/// Returns whether an account has a paid subscription or purchase in force, apart from default plans.
fn has_paid(standing: &AccountStanding) -> bool {
    let is_default =
        |source: &str| standing.plans.values().any(|plan| plan.price_id.is_none() && plan.source == *source);
    standing.allowed.values().any(|allowance| allowance.sources.iter().any(|(source, _)| !is_default(source)))
}

/// Handles the result of the host's generation of a token.
pub(super) fn secret_created(
    desk: &mut Desk<'_>,
    id: &str,
    ip: Option<&String>,
    report: &EffectReport,
) -> Ruled<Verdict> {
    let Some(mut token) = desk.account.row::<Token>(id)? else {
        return Err(internal(format!("{id}: the token does not exist")));
    };
    let answer: Object = match &report.answer {
        Ok(answer) => decode("effects", &report.key, answer)?,
        Err(failure) => {
            (token.status, token.reason) = (TokenStatus::Revoked, Some(failure.code.clone()));
            desk.account.put(id, token);
            return Ok(Verdict::answered(Answer::not_done("the token could not be created")));
        }
    };
    let hash = answer.get("sha256").and_then(Value::as_str).filter(|hash| is_hash(hash));
    let hash = hash.ok_or_else(|| internal(format!("{}: the result has no SHA-256", report.key)))?;
    if token.status != TokenStatus::Issuing {
        // The token's entitlement has ended in the meantime.
        let refusal = Refusal::RequirementUnmet(format!("token_{}", token.status.name()));
        return Ok(Verdict::answered(Answer::Refused(refusal)));
    }
    (token.status, token.sha256) = (TokenStatus::Issued, Some(hash.to_lowercase()));
    let shown = match ProductToken::find(desk, &token.product, Some(&token.name))? {
        Some(product_token) => product_token.fill_in(&product_token.token().shows)?,
        None => Object::new(),
    };
    let mut reply = json!({
        "id": id, "product": token.product, "token": answer.get("ref"), "expires_at": rfc3339(token.expires_at),
    });
    if let Some(reply) = reply.as_object_mut() {
        reply.extend(shown);
    }
    let product = token.product.clone();
    let subject = token.subject.clone();
    desk.account.put(id, token);
    log(desk, "token_issued", Some(id), &product, subject, ip.cloned(), None)?;
    publish(desk, &built_in_facts::TOKEN_ISSUED, id, &[id, &product])?;
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// `token.redeem`: requests a temporary grant for a valid token whose entitlement is in force.
pub(super) fn redeem(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (id, given, ip) = (required_text(body, "id")?, required_text(body, "sha256")?, ip(body)?);
    if !is_hash(&given) {
        let (found, expected) = ("", format!("a SHA-256: {HASH_DIGITS} hexadecimal digits"));
        return Err(wrong_field("/sha256", FieldErrorCode::BadFormat, found, expected));
    }
    let Some(token) = desk.account.row::<Token>(&id)? else {
        return log_refusal(desk, "pull_refused", Some(&id), &ProductId::default(), ip, Refusal::NotFound(id.clone()));
    };
    let refused = |desk: &mut Desk<'_>, refusal: Refusal| {
        log_refusal(desk, "pull_refused", Some(&id), &token.product, ip.clone(), refusal)
    };
    let is_valid = token.sha256.as_ref().is_some_and(|kept| is_equal(kept, &given.to_lowercase()));
    if !is_valid {
        return refused(desk, Refusal::Forbidden("token".to_owned()));
    }
    if matches!(token.status, TokenStatus::Revoked | TokenStatus::Redeemed) {
        return refused(desk, Refusal::RequirementUnmet(format!("token_{}", token.status.name())));
    }
    if !token.is_live() || token.expires_at <= desk.now {
        return refused(desk, Refusal::RequirementUnmet("token_expired".to_owned()));
    }
    if standing(desk)?.allows(&token.entitlement) == 0 {
        return refused(desk, Refusal::RequirementUnmet("product_not_included".to_owned()));
    }
    let Some(product_token) = ProductToken::find(desk, &token.product, Some(&token.name))? else {
        return refused(desk, Refusal::NotFound(token.product.to_string()));
    };
    let Some(redeem) = &product_token.token().redeem else {
        return refused(desk, Refusal::BadTransition("the token cannot be redeemed".to_owned()));
    };
    let expires_at = redeem.ttl.after(desk.now);
    let mut payload = product_token.fill_in(&redeem.with)?;
    payload.insert("expires_at".to_owned(), json!(rfc3339(expires_at)));
    payload.insert("ttl_s".to_owned(), json!((expires_at - desk.now) / 1_000));
    let key = EffectKey::Redeem { kind: redeem.run.clone(), token: id.clone(), asked_by: desk.event_hash() };
    let about = Correlation::Redeem { token: id.clone(), expires_at };
    let effect = request(&key, &payload, Some(&about))?;
    desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
    let (product, subject) = (token.product.clone(), token.subject.clone());
    log(desk, "pulled", Some(&id), &product, subject, ip.clone(), None)?;
    let redeemed = token.redeemed.saturating_add(1);
    // The status ends with the request, not with its result: two requests at the same time have one grant.
    let is_used_up = redeem.at_most.is_some_and(|most| redeemed >= i64::from(most));
    let status = if is_used_up { TokenStatus::Redeemed } else { token.status };
    desk.account.put(&id, Token { redeemed, status, ..token });
    Ok(Outcome::Applied.into())
}

/// Handles the result of the grant request. If the grant is refused, the redemption does not count: a token is only
/// spent by a grant.
pub(super) fn granted(desk: &mut Desk<'_>, id: &str, expires_at: Timestamp, report: &EffectReport) -> Ruled<Verdict> {
    Ok(Verdict::answered(match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let product = desk.account.row::<Token>(id)?.map(|token| token.product);
            let reply = json!({"id": id, "product": product, "grant": answer, "expires_at": rfc3339(expires_at)});
            Answer::Value(encode(&reply)?)
        }
        Err(failure) => {
            give_back(desk, id, &failure.code)?;
            Answer::not_done("what the token gives access to could not be delivered")
        }
    }))
}

/// Takes a redemption back that gave nothing. A token that was used up can be redeemed again, until it expires.
fn give_back(desk: &mut Desk<'_>, id: &str, code: &str) -> Ruled<()> {
    let Some(mut token) = desk.account.row::<Token>(id)? else { return Ok(()) };
    token.redeemed = token.redeemed.saturating_sub(1);
    if token.status == TokenStatus::Redeemed {
        token.status = TokenStatus::Issued;
    }
    let (product, subject) = (token.product.clone(), token.subject.clone());
    desk.account.put(id, token);
    log(desk, "pull_refused", Some(id), &product, subject, None, Some(code.to_owned()))
}

/// `token.revoke`: revokes a token.
pub(super) fn revoke(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (id, ip) = (required_text(body, "id")?, ip(body)?);
    let Some(token) = desk.account.row::<Token>(&id)? else { return Err(Refusal::NotFound(id).into()) };
    if !token.is_live() {
        return Err(Refusal::BadTransition(format!("token {}", token.status.name())).into());
    }
    let (product, subject) = (token.product.clone(), desk.actor.subject.clone());
    desk.account.put(&id, Token { status: TokenStatus::Revoked, reason: Some("asked".to_owned()), ..token });
    log(desk, "token_revoked", Some(&id), &product, subject, ip, None)?;
    Ok(Outcome::Applied.into())
}

/// Reads the caller's IP address, if the host passes it.
fn ip(body: &Object) -> Ruled<Option<String>> {
    let ip = text(body, "ip")?;
    match ip.as_ref().is_some_and(|ip| ip.len() > IP_BYTES || ip.parse::<std::net::IpAddr>().is_err()) {
        true => Err(wrong_field("/ip", FieldErrorCode::BadFormat, "", "an IPv4 or IPv6 address")),
        false => Ok(ip),
    }
}

/// Writes an entry of the access log.
fn log(
    desk: &mut Desk<'_>,
    action: &str,
    token: Option<&str>,
    product: &ProductId,
    subject: String,
    ip: Option<String>,
    reason: Option<String>,
) -> Ruled<()> {
    let id = desk.event_hash();
    desk.account.load::<Access>(std::slice::from_ref(&id))?;
    let (action, token, product) = (action.to_owned(), token.map(str::to_owned), product.clone());
    desk.account.put(&id, Access { at: desk.now, action, token, product, subject, ip, reason });
    Ok(())
}

/// Writes a refusal to the access log and returns it as the error.
fn log_refusal(
    desk: &mut Desk<'_>,
    action: &str,
    token: Option<&str>,
    product: &ProductId,
    ip: Option<String>,
    refusal: Refusal,
) -> Ruled<Verdict> {
    let reason = match &refusal {
        Refusal::RequirementUnmet(code) => code.clone(),
        other => other.code().to_owned(),
    };
    log(desk, action, token, product, desk.actor.subject.clone(), ip, Some(reason))?;
    Err(Halt::Refused(refusal))
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether two texts are equal, in a time that depends only on their length.
fn is_equal(kept: &str, given: &str) -> bool {
    let difference = kept.bytes().zip(given.bytes()).fold(0u8, |all, (a, b)| all | (a ^ b));
    kept.len() == given.len() && std::hint::black_box(difference) == 0
}
