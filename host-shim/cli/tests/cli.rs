//! Tests of the program from outside: its inputs, outputs and exit codes.

#[path = "cli/bad_inputs.rs"]
mod bad_inputs;
#[path = "cli/beside_stripe.rs"]
mod beside_stripe;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/check_wit.rs"]
mod check_wit;
#[path = "cli/compare.rs"]
mod compare;
#[cfg(unix)]
#[path = "cli/configured.rs"]
mod configured;
#[path = "cli/contract.rs"]
mod contract;
#[path = "cli/coverage.rs"]
mod coverage;
#[path = "cli/drift.rs"]
mod drift;
#[path = "cli/elsewhere.rs"]
mod elsewhere;
#[path = "cli/explore.rs"]
mod explore;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/github.rs"]
mod github;
#[cfg(unix)]
#[path = "cli/go_live.rs"]
mod go_live;
#[path = "cli/guide.rs"]
mod guide;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/inspect.rs"]
mod inspect;
#[cfg(unix)]
#[path = "cli/kill.rs"]
mod kill;
#[path = "cli/missing_price.rs"]
mod missing_price;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/new.rs"]
mod new;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/providers.rs"]
mod providers;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/scenarios.rs"]
mod scenarios;
#[path = "cli/secrets.rs"]
mod secrets;
#[path = "cli/serve.rs"]
#[cfg(unix)]
mod serve;
#[path = "cli/solobase.rs"]
mod solobase;
#[path = "cli/tutorial.rs"]
mod tutorial;
#[path = "cli/verify.rs"]
mod verify;
