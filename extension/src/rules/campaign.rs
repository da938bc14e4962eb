//! Campaigns: mails to many accounts, managed in the account `platform`. Accounts report their membership by messages.
//! The mail itself is sent by the receiving account, which knows whether it has unsubscribed.

use crate::actions::permission::not_the_platform;
use crate::catalog::account_name::text_of;
use crate::catalog::built_in_facts;
use crate::catalog::campaign::Campaigns;
use crate::catalog::mistakes::{Mistakes, refusal};
use crate::catalog::product::required_text;
use crate::catalog::reaction_checks::check_template;
use crate::desk::Desk;
use crate::desk::react::publish;
use crate::model::effect::{request, timer};
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::mail::To;
use crate::model::mail_kinds;
use crate::model::message::{CampaignMail, Message};
use crate::model::notice::{send_once, send_template};
use crate::model::records::campaign::{Audience, Campaign, CampaignStatus, Member, Membership};
use crate::model::records::record_key;
use crate::model::time::{parse_rfc3339, rfc3339};
use extension_contract::*;
use serde_json::json;

/// Values of a campaign's mail that its template can use.
const TEMPLATE_VALUES: [&str; 2] = ["campaign", "unsubscribe"];

/// Maximum number of accounts counted for a preview, to limit the work of a decision.
const COUNTED_MAX: usize = 1_000;

/// Number of accounts per read while counting.
const COUNTED_AT_ONCE: u32 = 500;

/// Returns the business's campaign settings. Fails if the business has none.
fn campaigns(desk: &Desk<'_>) -> Ruled<Campaigns> {
    let campaigns = desk.catalog.settings()?.campaigns;
    Ok(campaigns.ok_or_else(|| Refusal::RequirementUnmet("campaigns".to_owned()))?)
}

/// `campaign.create`: creates a draft, and replies with the number of current recipients.
pub(super) fn create(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = format!("cmp_{}", desk.event_hash());
    desk.account.load::<Campaign>(std::slice::from_ref(&id))?;
    put_draft(desk, id, body)
}

/// `campaign.update`: replaces a draft, and replies as `campaign.create`.
pub(super) fn update(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    match desk.account.row::<Campaign>(&id)? {
        None => Err(Refusal::NotFound(id).into()),
        Some(campaign) if campaign.status != CampaignStatus::Draft => {
            Err(Refusal::BadTransition(format!("campaign {}", campaign.status.name())).into())
        }
        Some(_) => put_draft(desk, id, body),
    }
}

/// Writes a draft with the values of a command.
fn put_draft(desk: &mut Desk<'_>, id: String, body: &Object) -> Ruled<Verdict> {
    campaigns(desk)?;
    let (name, template) = (required_text(body, "name")?, required_text(body, "template")?);
    let (settings, mut mistakes) = (desk.catalog.settings()?, Mistakes::default());
    check_template(&template, &settings.templates, Some(&TEMPLATE_VALUES), "/template", &mut mistakes);
    mistakes.finish()?;
    let audience = audience(body)?;
    let enrols = body.get("enrols") == Some(&json!(true));
    let answer = preview(desk, &id, &audience)?;
    desk.account.put(&id, Campaign { name, template, audience, enrols, ..Campaign::default() });
    Ok(Verdict::answered(answer))
}

/// Reads the audience from a command.
fn audience(body: &Object) -> Ruled<Audience> {
    let Some(given) = body.get("audience").filter(|given| !given.is_null()) else { return Ok(Audience::default()) };
    extension_reader::from_str(&encode(given)?).map_err(|error| refusal("/audience", &error))
}

/// Returns the reply with the number of known accounts that would receive a campaign.
fn preview(desk: &mut Desk<'_>, id: &str, audience: &Audience) -> Ruled<Answer> {
    let (mut count, mut seen, mut after) = (0, 0, None);
    loop {
        let page = page(desk, after, COUNTED_AT_ONCE)?;
        for id in &page {
            let member = desk.account.get::<Member>(id)?;
            count += i64::from(member.is_some_and(|member| member.is_in(audience)));
        }
        seen += page.len();
        let is_last = page.len() < COUNTED_AT_ONCE as usize;
        after = page.into_iter().next_back();
        if is_last || seen >= COUNTED_MAX {
            let answer = json!({"id": id, "recipients": count, "counted": seen, "is_exact": is_last});
            return Ok(Answer::Value(encode(&answer)?));
        }
    }
}

/// Returns a page of member accounts after `after`.
fn page(desk: &mut Desk<'_>, after: Option<String>, limit: u32) -> Ruled<Vec<String>> {
    let kind = record_key(Member::COLLECTION, "").kind();
    desk.account.page(kind, after, limit)
}

/// Returns the campaign that a command names, with the new status. Fails if the transition is not allowed.
fn with_status(desk: &mut Desk<'_>, body: &Object, to: CampaignStatus) -> Ruled<(String, Campaign)> {
    campaigns(desk)?;
    let id = required_text(body, "id")?;
    let Some(mut campaign) = desk.account.row::<Campaign>(&id)? else { return Err(Refusal::NotFound(id).into()) };
    if !campaign.status.leads_to(to) {
        return Err(Refusal::BadTransition(format!("campaign {}", campaign.status.name())).into());
    }
    campaign.status = to;
    Ok((id, campaign))
}

/// `campaign.send`: sends a campaign at once, or schedules it.
pub(super) fn send(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let at = match body.get("at").filter(|at| !at.is_null()) {
        None => None,
        Some(at) => {
            let at = at.as_str().and_then(parse_rfc3339);
            Some(at.ok_or_else(|| wrong_field("/at", FieldErrorCode::BadFormat, "", "a date and time of RFC 3339"))?)
        }
    };
    if let Some(at) = at.filter(|at| *at > desk.now) {
        let (id, mut campaign) = with_status(desk, body, CampaignStatus::Scheduled)?;
        campaign.at = Some(at);
        set_timer(desk, &id, at)?;
        desk.account.put(&id, campaign);
        let answer = json!({"id": id, "status": "scheduled", "at": rfc3339(at)});
        return Ok(Verdict::answered(Answer::Value(encode(&answer)?)));
    }
    let (id, campaign) = with_status(desk, body, CampaignStatus::Sending)?;
    let campaign = batch(desk, &id, campaign)?;
    let answer = json!({"id": id, "status": campaign.status.name(), "recipients": campaign.recipients});
    desk.account.put(&id, campaign);
    Ok(Verdict::answered(Answer::Value(encode(&answer)?)))
}

/// `campaign.cancel`: stops a campaign.
pub(super) fn cancel(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (id, campaign) = with_status(desk, body, CampaignStatus::Canceled)?;
    desk.account.put(&id, campaign);
    Ok(Outcome::Applied.into())
}

/// Handles the timer of a campaign or of its next batch.
pub(super) fn resume(desk: &mut Desk<'_>, id: &str, due: Timestamp) -> Ruled<Outcome> {
    let ignored = Outcome::Ignored(IgnoreReason::NoChange);
    let Some(mut campaign) = desk.account.row::<Campaign>(id)? else { return Ok(ignored) };
    match campaign.status {
        // The comparison ignores the timer of an earlier schedule.
        CampaignStatus::Scheduled if campaign.at.is_none_or(|at| at == due) => {
            campaign.status = CampaignStatus::Sending
        }
        CampaignStatus::Sending if !campaign.through => {}
        _ => return Ok(ignored),
    }
    let campaign = batch(desk, id, campaign)?;
    desk.account.put(id, campaign);
    Ok(Outcome::Applied)
}

/// Processes the next batch of accounts, and sends the campaign to the accounts that belong to the audience.
fn batch(desk: &mut Desk<'_>, id: &str, mut campaign: Campaign) -> Ruled<Campaign> {
    let settings = desk.catalog.settings()?;
    let Some(terms) = settings.campaigns.filter(|_| settings.templates.contains_key(&campaign.template)) else {
        campaign.status = CampaignStatus::Failed;
        let values = json!({"campaign": id, "name": campaign.name, "template": campaign.template});
        send_once(&mut desk.account, &mail_kinds::CAMPAIGN_FAILED, id, &values)?;
        return Ok(campaign);
    };
    let page = page(desk, campaign.after.clone(), terms.batch)?;
    for account in &page {
        if desk.account.get::<Member>(account)?.is_some_and(|member| member.is_in(&campaign.audience)) {
            send_to(desk, id, &mut campaign, account)?;
        }
    }
    if page.len() == terms.batch as usize {
        campaign.after = page.into_iter().next_back();
        let next = terms.every.after(desk.now);
        set_timer(desk, id, next)?;
        return Ok(campaign);
    }
    campaign.through = true;
    if !campaign.enrols {
        campaign.status = CampaignStatus::Sent;
        publish(desk, &built_in_facts::CAMPAIGN_SENT, id, &[id])?;
    }
    Ok(campaign)
}

/// Sends the campaign to an account, once.
fn send_to(desk: &mut Desk<'_>, id: &str, campaign: &mut Campaign, account: &str) -> Ruled<()> {
    let Ok(to) = account.parse::<Account>() else { return Ok(()) };
    let key = EffectKey::CampaignMail { campaign: id.to_owned(), account: account.to_owned() };
    if desk.account.record_fact(&key.to_string())? {
        let mail =
            CampaignMail { campaign: id.to_owned(), name: campaign.name.clone(), template: campaign.template.clone() };
        let effect = request(&key, &Message::Campaign(mail), None)?;
        desk.account.ask(Effect { to: Some(to), ..effect });
        campaign.recipients = campaign.recipients.saturating_add(1);
    }
    Ok(())
}

/// Sets a timer for a campaign.
fn set_timer(desk: &mut Desk<'_>, id: &str, due: Timestamp) -> Ruled<()> {
    desk.account.ask(timer(TimerKey::Campaign { campaign: id.to_owned(), due }, due)?);
    Ok(())
}

/// Stores an account's membership, and sends to the account the campaigns that enrol new members of their audience.
pub(super) fn member_changed(desk: &mut Desk<'_>, sender: &Account, member: Member) -> Ruled<Outcome> {
    let id = text_of(sender);
    let known = desk.account.row::<Member>(&id)?;
    if known.is_some_and(|known| known.told >= member.told) {
        return Ok(Outcome::Duplicate(format!("member:{id}:{}", member.told)));
    }
    let enrolling: Vec<(String, Campaign)> = desk
        .account
        .all::<Campaign>()?
        .into_iter()
        .filter(|(_, campaign)| campaign.enrols && campaign.status == CampaignStatus::Sending)
        // Only for accounts that earlier batches have passed; other accounts are part of a later batch.
        .filter(|(_, campaign)| campaign.through || campaign.after.as_ref().is_some_and(|after| id <= *after))
        .filter(|(_, campaign)| member.is_in(&campaign.audience))
        .map(|(id, campaign)| (id, Campaign::clone(&campaign)))
        .collect();
    for (campaign_id, mut campaign) in enrolling {
        send_to(desk, &campaign_id, &mut campaign, &id)?;
        desk.account.put(&campaign_id, campaign);
    }
    desk.account.put(&id, member);
    Ok(Outcome::Applied)
}

/// Sends a campaign's mail to the account, unless it has unsubscribed.
pub(super) fn deliver(desk: &mut Desk<'_>, mail: &CampaignMail) -> Ruled<Outcome> {
    let membership = desk.account.get::<Membership>(Membership::ID)?;
    if membership.is_some_and(|membership| membership.told.unsubscribed) {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    let account = text_of(&desk.account.owned()?);
    let values = json!({"campaign": mail.name, "unsubscribe": account});
    send_template(&mut desk.account, &mail.template, To::Account, &format!("campaign:{}", mail.campaign), &values)?;
    Ok(Outcome::Applied)
}

/// `mail.subscribe` and `mail.unsubscribe`: whether the account receives campaigns. It always receives transactional
/// mails.
pub(super) fn subscribe(desk: &mut Desk<'_>, wants: bool) -> Ruled<Verdict> {
    not_the_platform(desk)?;
    let known = desk.account.row::<Membership>(Membership::ID)?.unwrap_or_default();
    if known.unsubscribed != wants {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    }
    desk.account.put(Membership::ID, Membership { unsubscribed: !wants, ..known });
    Ok(Outcome::Applied.into())
}
