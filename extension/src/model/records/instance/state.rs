//! The state of an instance, and the changes that are possible in each state.
//!
//! A [`State`] is made only by [`State::after`] and by the constructors for new records, so no rule can write a change
//! that is not listed there.

use super::status::InstanceStatus;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// The state to which an instance returns if its archive fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The instance was archived because it was not used.
    Running,
    /// The instance was archived because it was not paid for.
    Suspended,
    /// The instance is archived again because its restore failed.
    Archived,
}

/// Why an instance is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// Its plan, its purchase or the retention of its archive ended.
    Lapsed,
    /// Its owner or the platform deleted it, and nothing existed that needs a backup.
    Ordered,
    /// Its owner or the platform deleted it, and a final backup is made first.
    OrderedWithBackup,
}

/// Why an instance was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its plan, its purchase or the retention of its archive ended. A late payment revives it if no effect ever began.
    Lapsed,
    /// Its owner or the platform deleted it, permanently.
    Ordered,
}

/// A failed creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Time at which a step failed; `None` if a service reported the failure. The product row names the step.
    pub at: Option<Timestamp>,
    /// Whether the creation begins again once all resources are destroyed.
    pub begins_again: bool,
}

/// The values of [`State`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The product has no status, because its type has no resources.
    #[default]
    Plain,
    /// Another service manages the instance: it counts for the summary, but is not reconciled. Its product row
    /// contains its status.
    Foreign,
    /// The same, and the owner has ordered its deletion.
    ForeignEnded,
    /// [`InstanceStatus::Provisioning`].
    Provisioning,
    /// [`InstanceStatus::Running`].
    Running,
    /// [`InstanceStatus::Suspended`].
    Suspended,
    /// [`InstanceStatus::Archiving`].
    Archiving(Origin),
    /// [`InstanceStatus::Archived`].
    Archived,
    /// [`InstanceStatus::Restoring`].
    Restoring,
    /// [`InstanceStatus::Deleting`].
    Deleting(Deletion),
    /// [`InstanceStatus::Error`]: the instance was refused, and nothing was created.
    Refused,
    /// [`InstanceStatus::Error`]: the creation failed.
    Failed(Failure),
    /// [`InstanceStatus::Terminated`].
    Terminated(End),
}

/// A change of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The instance is in service.
    Run,
    /// The instance is taken out of service.
    Suspend,
    /// The archive begins.
    Archive,
    /// The archive is complete.
    CompleteArchive,
    /// The archive failed.
    FailArchive,
    /// The restore begins.
    Restore,
    /// The restore failed.
    FailRestore,
    /// The deletion begins.
    End(Deletion),
    /// The deletion is complete.
    CompleteEnd,
    /// A step of the creation failed at this time.
    Fail(Timestamp),
    /// The creation is refused.
    Refuse,
    /// The creation is to begin again once all resources are destroyed.
    AwaitNewBegin,
    /// The creation begins again.
    BeginAgain,
    /// A service, or the platform, wrote this status into the product row.
    Report(InstanceStatus),
}

/// The state of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct State(Stage);

/// The state in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// Name in [`NAMES`].
    is: String,
    /// [`Failure::at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// [`Failure::begins_again`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    begins_again: bool,
}

/// The names of all stages in rows. The details of a failure have their own members.
const NAMES: [(&str, Stage); 18] = [
    ("plain", Stage::Plain),
    ("foreign", Stage::Foreign),
    ("foreign_ended", Stage::ForeignEnded),
    ("provisioning", Stage::Provisioning),
    ("running", Stage::Running),
    ("suspended", Stage::Suspended),
    ("archiving_running", Stage::Archiving(Origin::Running)),
    ("archiving_suspended", Stage::Archiving(Origin::Suspended)),
    ("archiving_archived", Stage::Archiving(Origin::Archived)),
    ("archived", Stage::Archived),
    ("restoring", Stage::Restoring),
    ("deleting_lapsed", Stage::Deleting(Deletion::Lapsed)),
    ("deleting_ordered", Stage::Deleting(Deletion::Ordered)),
    ("deleting_ordered_with_backup", Stage::Deleting(Deletion::OrderedWithBackup)),
    ("refused", Stage::Refused),
    ("failed", Stage::Failed(Failure { at: None, begins_again: false })),
    ("terminated_lapsed", Stage::Terminated(End::Lapsed)),
    ("terminated_ordered", Stage::Terminated(End::Ordered)),
];

impl From<State> for Stored {
    fn from(State(stage): State) -> Stored {
        let (named, failure) = match stage {
            Stage::Failed(failure) => (Stage::Failed(Failure::default()), failure),
            other => (other, Failure::default()),
        };
        let name = NAMES.iter().find(|(_, stage)| *stage == named).map_or("", |(name, _)| *name);
        Stored { is: name.to_owned(), at: failure.at, begins_again: failure.begins_again }
    }
}

impl TryFrom<Stored> for State {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<State, &'static str> {
        let named = NAMES.iter().find(|(name, _)| *name == stored.is).map(|(_, stage)| *stage);
        let state = State(match named {
            Some(Stage::Failed(_)) => Stage::Failed(Failure { at: stored.at, begins_again: stored.begins_again }),
            Some(other) => other,
            None => return Err("unknown state"),
        });
        match Stored::from(state) == stored {
            true => Ok(state),
            false => Err("the state has no such members"),
        }
    }
}

impl State {
    /// Returns the state of an instance that another service manages.
    pub fn foreign() -> State {
        State(Stage::Foreign)
    }

    /// Returns the state of a new instance that was refused.
    pub fn refused() -> State {
        State(Stage::Refused)
    }

    /// Returns the state of a new instance with this status in its product row.
    pub fn with_status(status: Option<InstanceStatus>) -> State {
        State(status.map_or(Stage::Plain, |status| Stage::Plain.with_status(status)))
    }

    /// Returns the value.
    pub fn stage(self) -> Stage {
        self.0
    }

    /// Returns the status; `None` if the instance has none, or if its product row contains it.
    pub fn status(self) -> Option<InstanceStatus> {
        Some(match self.0 {
            Stage::Plain | Stage::Foreign | Stage::ForeignEnded => return None,
            Stage::Provisioning => InstanceStatus::Provisioning,
            Stage::Running => InstanceStatus::Running,
            Stage::Suspended => InstanceStatus::Suspended,
            Stage::Archiving(_) => InstanceStatus::Archiving,
            Stage::Archived => InstanceStatus::Archived,
            Stage::Restoring => InstanceStatus::Restoring,
            Stage::Deleting(_) => InstanceStatus::Deleting,
            Stage::Refused | Stage::Failed(_) => InstanceStatus::Error,
            Stage::Terminated(_) => InstanceStatus::Terminated,
        })
    }

    /// Returns whether another service manages the instance.
    pub fn is_foreign(self) -> bool {
        matches!(self.0, Stage::Foreign | Stage::ForeignEnded)
    }

    /// Returns whether the owner or the platform ended the instance permanently.
    pub fn is_end_ordered(self) -> bool {
        use Deletion::{Ordered, OrderedWithBackup};
        matches!(
            self.0,
            Stage::ForeignEnded | Stage::Deleting(Ordered | OrderedWithBackup) | Stage::Terminated(End::Ordered)
        )
    }

    /// Returns the failed creation.
    pub fn failure(self) -> Option<Failure> {
        match self.0 {
            Stage::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Returns the state after a change; `None` if the change is not possible in this state.
    pub fn after(self, change: Change) -> Option<State> {
        use Stage::*;
        Some(State(match (change, self.0) {
            (Change::Run, Provisioning | Suspended | Archiving(_) | Restoring) => Running,
            (Change::Suspend, Running) => Suspended,
            (Change::Archive, Running) => Archiving(Origin::Running),
            (Change::Archive, Suspended) => Archiving(Origin::Suspended),
            (Change::CompleteArchive, Archiving(_)) => Archived,
            (Change::FailArchive, Archiving(Origin::Running)) => Running,
            (Change::FailArchive, Archiving(Origin::Suspended)) => Suspended,
            (Change::FailArchive, Archiving(Origin::Archived)) => Archived,
            (Change::Restore, Archived) => Restoring,
            (Change::FailRestore, Restoring) => Archiving(Origin::Archived),
            (Change::End(Deletion::Lapsed), Provisioning | Archived | Refused | Failed(_)) => {
                Deleting(Deletion::Lapsed)
            }
            (Change::End(Deletion::Ordered | Deletion::OrderedWithBackup), Foreign | ForeignEnded) => ForeignEnded,
            (
                Change::End(why @ (Deletion::Ordered | Deletion::OrderedWithBackup)),
                Plain | Provisioning | Running | Suspended | Archiving(_) | Archived | Restoring | Refused | Failed(_),
            ) => Deleting(why),
            (Change::CompleteEnd, Deleting(Deletion::Lapsed)) => Terminated(End::Lapsed),
            (Change::CompleteEnd, Deleting(_)) => Terminated(End::Ordered),
            (Change::Fail(at), Provisioning) => Failed(Failure { at: Some(at), begins_again: false }),
            (Change::Refuse, Provisioning) => Refused,
            (Change::AwaitNewBegin, Failed(failure)) => Failed(Failure { begins_again: true, ..failure }),
            // A person may also retry an instance that another service created and reported as failed.
            (Change::BeginAgain, Refused | Failed(_) | Terminated(End::Lapsed) | Foreign | ForeignEnded) => {
                Provisioning
            }
            (Change::Report(_), Foreign | ForeignEnded) => self.0,
            (Change::Report(status), _) if self.status() == Some(status) => self.0,
            (Change::Report(status), stage) => stage.with_status(status),
            _ => return None,
        }))
    }
}

impl Stage {
    /// Returns the stage after a report of another status. A report has no details, so they come from this stage or
    /// have their most cautious value.
    fn with_status(self, status: InstanceStatus) -> Stage {
        match (status, self) {
            (InstanceStatus::Provisioning, _) => Stage::Provisioning,
            (InstanceStatus::Running, _) => Stage::Running,
            (InstanceStatus::Suspended, _) => Stage::Suspended,
            (InstanceStatus::Archiving, Stage::Restoring) => Stage::Archiving(Origin::Archived),
            (InstanceStatus::Archiving, _) => Stage::Archiving(Origin::Suspended),
            (InstanceStatus::Archived, _) => Stage::Archived,
            (InstanceStatus::Restoring, _) => Stage::Restoring,
            (InstanceStatus::Deleting, Stage::Terminated(End::Ordered)) => Stage::Deleting(Deletion::Ordered),
            (InstanceStatus::Deleting, _) => Stage::Deleting(Deletion::Lapsed),
            (InstanceStatus::Error, _) => Stage::Failed(Failure::default()),
            (InstanceStatus::Terminated, Stage::Deleting(Deletion::Ordered | Deletion::OrderedWithBackup)) => {
                Stage::Terminated(End::Ordered)
            }
            (InstanceStatus::Terminated, _) => Stage::Terminated(End::Lapsed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every stage with every detail.
    fn stages() -> Vec<Stage> {
        let failed = |at, begins_again| Stage::Failed(Failure { at, begins_again });
        vec![
            Stage::Plain,
            Stage::Foreign,
            Stage::ForeignEnded,
            Stage::Provisioning,
            Stage::Running,
            Stage::Suspended,
            Stage::Archiving(Origin::Running),
            Stage::Archiving(Origin::Suspended),
            Stage::Archiving(Origin::Archived),
            Stage::Archived,
            Stage::Restoring,
            Stage::Deleting(Deletion::Lapsed),
            Stage::Deleting(Deletion::Ordered),
            Stage::Deleting(Deletion::OrderedWithBackup),
            Stage::Refused,
            failed(None, false),
            failed(None, true),
            failed(Some(1), false),
            failed(Some(1), true),
            Stage::Terminated(End::Lapsed),
            Stage::Terminated(End::Ordered),
        ]
    }

    /// The name of a stage in the tables below.
    fn name(stage: Stage) -> String {
        let failed = |failure: Failure| {
            let step = failure.at.map_or("reported".to_owned(), |at| format!("step {at}"));
            format!("failed({step}{})", if failure.begins_again { ", begins again" } else { "" })
        };
        match stage {
            Stage::Plain => "plain".to_owned(),
            Stage::Foreign => "foreign".to_owned(),
            Stage::ForeignEnded => "foreign(ended)".to_owned(),
            Stage::Provisioning => "provisioning".to_owned(),
            Stage::Running => "running".to_owned(),
            Stage::Suspended => "suspended".to_owned(),
            Stage::Archiving(origin) => format!("archiving({origin:?})").to_lowercase(),
            Stage::Archived => "archived".to_owned(),
            Stage::Restoring => "restoring".to_owned(),
            Stage::Deleting(why) => format!("deleting({why:?})").to_lowercase(),
            Stage::Refused => "refused".to_owned(),
            Stage::Failed(failure) => failed(failure),
            Stage::Terminated(why) => format!("terminated({why:?})").to_lowercase(),
        }
    }

    fn change(name: &str) -> Change {
        match name {
            "run" => Change::Run,
            "suspend" => Change::Suspend,
            "archive" => Change::Archive,
            "complete the archive" => Change::CompleteArchive,
            "fail to archive" => Change::FailArchive,
            "restore" => Change::Restore,
            "fail to restore" => Change::FailRestore,
            "lapse" => Change::End(Deletion::Lapsed),
            "end" => Change::End(Deletion::Ordered),
            "end after a backup" => Change::End(Deletion::OrderedWithBackup),
            "complete the end" => Change::CompleteEnd,
            "fail" => Change::Fail(2),
            "refuse" => Change::Refuse,
            "await a new begin" => Change::AwaitNewBegin,
            "begin again" => Change::BeginAgain,
            _ => panic!("{name} is not a change"),
        }
    }

    /// Every change, and where it leads: `FROM… > TO`. In all other stages the change is not possible.
    const CHANGES: [(&str, &[&str]); 15] = [
        (
            "run",
            &[
                "provisioning > running",
                "suspended > running",
                "restoring > running",
                "archiving(running) archiving(suspended) archiving(archived) > running",
            ],
        ),
        ("suspend", &["running > suspended"]),
        ("archive", &["running > archiving(running)", "suspended > archiving(suspended)"]),
        ("complete the archive", &["archiving(running) archiving(suspended) archiving(archived) > archived"]),
        (
            "fail to archive",
            &["archiving(running) > running", "archiving(suspended) > suspended", "archiving(archived) > archived"],
        ),
        ("restore", &["archived > restoring"]),
        ("fail to restore", &["restoring > archiving(archived)"]),
        // What waits for a plan, is archived, or has failed ends without an order.
        (
            "lapse",
            &[
                "provisioning archived refused > deleting(lapsed)",
                "failed(reported) failed(reported,_begins_again) > deleting(lapsed)",
                "failed(step_1) failed(step_1,_begins_again) > deleting(lapsed)",
            ],
        ),
        (
            "end",
            &[
                "foreign foreign(ended) > foreign(ended)",
                "plain provisioning running suspended archived restoring refused > deleting(ordered)",
                "archiving(running) archiving(suspended) archiving(archived) > deleting(ordered)",
                "failed(reported) failed(reported,_begins_again) > deleting(ordered)",
                "failed(step_1) failed(step_1,_begins_again) > deleting(ordered)",
            ],
        ),
        (
            "end after a backup",
            &[
                "foreign foreign(ended) > foreign(ended)",
                "plain provisioning running suspended archived restoring refused > deleting(orderedwithbackup)",
                "archiving(running) archiving(suspended) archiving(archived) > deleting(orderedwithbackup)",
                "failed(reported) failed(reported,_begins_again) > deleting(orderedwithbackup)",
                "failed(step_1) failed(step_1,_begins_again) > deleting(orderedwithbackup)",
            ],
        ),
        (
            "complete the end",
            &[
                "deleting(lapsed) > terminated(lapsed)",
                "deleting(ordered) deleting(orderedwithbackup) > terminated(ordered)",
            ],
        ),
        ("fail", &["provisioning > failed(step_2)"]),
        ("refuse", &["provisioning > refused"]),
        (
            "await a new begin",
            &[
                "failed(reported) failed(reported,_begins_again) > failed(reported,_begins_again)",
                "failed(step_1) failed(step_1,_begins_again) > failed(step_1,_begins_again)",
            ],
        ),
        // An instance that its owner ended never begins again.
        (
            "begin again",
            &[
                "refused terminated(lapsed) foreign foreign(ended) > provisioning",
                "failed(reported) failed(reported,_begins_again) > provisioning",
                "failed(step_1) failed(step_1,_begins_again) > provisioning",
            ],
        ),
    ];

    fn after(from: Stage, change: Change) -> Option<String> {
        State(from).after(change).map(|state| name(state.stage()).replace(' ', "_"))
    }

    #[test]
    fn each_change_is_possible_in_the_listed_states_and_in_no_other() {
        let mut pairs = 0;
        for (what, listed) in CHANGES {
            let mut possible = std::collections::BTreeMap::new();
            for line in listed {
                let (from, to) = line.split_once(" > ").expect("a line has two parts");
                possible.extend(from.split(' ').map(|from| (from.to_owned(), to.to_owned())));
            }
            for from in stages() {
                let expected = possible.remove(&name(from).replace(' ', "_"));
                assert_eq!(after(from, change(what)), expected, "{what} in {}", name(from));
                pairs += 1;
            }
            assert!(possible.is_empty(), "{what}: unknown {possible:?}");
        }
        assert_eq!(pairs, 15 * 21);
    }

    #[test]
    fn a_report_sets_the_reported_status_except_for_an_instance_of_another_service() {
        for from in stages() {
            for status in InstanceStatus::ALL {
                let state = State(from);
                let reported = state.after(Change::Report(status)).expect("a report is always possible");
                match state.is_foreign() || state.status() == Some(status) {
                    true => assert_eq!(reported, state, "a report of {} changes nothing", status.name()),
                    false => assert_eq!(reported.status(), Some(status), "in {}", name(from)),
                }
                // A report alone neither revives nor makes permanent what a person ended.
                if matches!(status, InstanceStatus::Deleting | InstanceStatus::Terminated) {
                    assert_eq!(reported.is_end_ordered(), state.is_end_ordered(), "in {}", name(from));
                }
            }
        }
    }

    #[test]
    fn a_state_is_one_member_of_its_row() {
        let mut texts = BTreeSet::new();
        for stage in stages() {
            let state = State(stage);
            let text = serde_json::to_string(&state).expect("encoded");
            let read: State = extension_reader::from_str(&text).expect("decoded");
            assert_eq!(read, state, "{text}");
            texts.insert(text);
        }
        assert_eq!(texts.len(), stages().len(), "no two states have one text");
        assert!(texts.contains(r#"{"is":"archiving_suspended"}"#), "{texts:?}");
        assert!(texts.contains(r#"{"is":"failed","at":1,"begins_again":true}"#), "{texts:?}");
    }

    #[test]
    fn no_text_is_read_as_a_state_that_cannot_exist() {
        let wrong = [
            r#"{"is":"archiving"}"#,
            r#"{"is":"running","at":1}"#,
            r#"{"is":"terminated_lapsed","begins_again":true}"#,
            r#"{"is":"running","from":"suspended"}"#,
            r#"{"is":""}"#,
        ];
        for text in wrong {
            assert!(extension_reader::from_str::<State>(text).is_err(), "{text}");
        }
    }
}
