//! The pages, blocks and assets that every business has.

/// A built-in file: its name below the folder `pages`, and its text.
pub(crate) type File = (&'static str, &'static str);

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../built-in/pages/", $name)))),*] };
}

/// Pages, layouts and blocks.
pub(crate) const TEMPLATES: &[File] = files![
    "blocks/add_ons.html",
    "blocks/admin_effects.html",
    "blocks/admin_events.html",
    "blocks/admin_grants.html",
    "blocks/admin_tasks.html",
    "blocks/chart.html",
    "blocks/credits.html",
    "blocks/endpoint.html",
    "blocks/instances.html",
    "blocks/invoices.html",
    "blocks/mail.html",
    "blocks/meters.html",
    "blocks/navigation.html",
    "blocks/plan_comparison.html",
    "blocks/pricing.html",
    "blocks/problem.html",
    "blocks/purchases.html",
    "blocks/returned.html",
    "blocks/set_password.html",
    "blocks/steps.html",
    "blocks/subscription.html",
    "blocks/tokens.html",
    "blocks/top_up.html",
    "blocks/unproved.html",
    "account.html",
    "admin.html",
    "admin_account.html",
    "admin_accounts.html",
    "admin_campaigns.html",
    "admin_endpoint.html",
    "admin_endpoints.html",
    "admin_event.html",
    "admin_events.html",
    "admin_mail.html",
    "admin_mails.html",
    "admin_onboarding.html",
    "admin_resources.html",
    "admin_revenue.html",
    "admin_sent_mail.html",
    "api.html",
    "away.html",
    "billing.html",
    "canceled.html",
    "change.html",
    "claim.html",
    "confirm.html",
    "dashboard.html",
    "developers.html",
    "endpoint.html",
    "error.html",
    "forgot.html",
    "forms.html",
    "index.html",
    "instance.html",
    "invitation.html",
    "layout.html",
    "login.html",
    "new_instance.html",
    "organization.html",
    "pricing.html",
    "receipt.html",
    "register.html",
    "reset.html",
    "resume.html",
    "success.html",
    "team.html",
];
/// Style sheet of all pages.
pub(crate) const STYLE: &str = include_str!("../../assets/app.css");
/// Script that shows changes while a page is open.
pub(crate) const LIVE: &str = include_str!("../../assets/live.js");
