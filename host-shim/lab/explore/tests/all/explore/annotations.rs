//! Findings as annotations of GitHub Actions.

use super::support::{changed, explored, tale};
use host_explore::plan::Act;
use host_explore::report::{Found, Report};
use host_explore::{Law, VariantKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use test_support::in_business;

#[test]
fn an_annotation_names_the_line_of_the_breaking_step() {
    // Given an extension that puts a count of its decisions into the keys of effects.
    let count = Arc::new(AtomicU64::new(0));
    let runners = changed(move |_, decision| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        decision.effects.iter_mut().for_each(|effect| effect.key = format!("{}#{number}", effect.key));
    });
    let tale = tale(&in_business("solobase/scenarios/requirements/billing-history.yml"), &runners);
    let explored = explored(&tale, &[VariantKind::Crashes]);
    let finding = explored.findings.iter().find(|finding| finding.breach.law == Law::SameEffects).expect("a finding");
    // The breaking step is the step with the kill; without a kill, it is the last step of the shortest story.
    let killed = finding.plan.acts.iter().find(|act| act.kill.is_some()).expect("a kill").step;
    assert_eq!(finding.step(), Some(killed));
    let kill = finding.plan.acts.iter().find_map(|act| act.kill);
    let mut early = finding.clone();
    early.plan.acts = vec![Act { kill, ..Act::at(1, 0) }, Act::at(2, 0)];
    assert_eq!(early.step(), Some(1));
    let mut alive = finding.clone();
    alive.plan.acts = vec![Act::at(1, 0), Act::at(2, 0)];
    assert_eq!(alive.step(), Some(2));
    alive.plan.acts.clear();
    assert_eq!(alive.step(), None);

    let line = tale.scenario.steps[killed].line;
    let (file, again) = (PathBuf::from("explored/a,b.yml"), "provisioner explore x.yml".to_owned());
    let found = vec![Found { finding: finding.clone(), again, file, line }];
    let mut report = Report::new(Duration::ZERO, 7);
    report.add(&tale.scenario.file, explored.clone(), found);
    let text = report.github();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let story = tale.scenario.file.display();
    assert!(line > 0 && lines[0].starts_with(&format!("::error file={story},line={line},title=")), "{text}");
    let title = format!("crashes%3A {}::", Law::SameEffects);
    assert!(lines[0].contains(&title), "{text}");
    let steps = finding.plan.acts.len();
    let end = format!("%0Ashortest story, {steps} steps: explored/a,b.yml%0Aagain: provisioner explore x.yml");
    assert!(lines[0].contains(&format!("%0A{}%0A", finding.variant)) && lines[0].ends_with(&end), "{text}");
    let counts = explored.counts[&VariantKind::Crashes];
    let counts = format!("1 stories, {} variants, {} broke a law; seed 7", counts.variants, counts.broken);
    assert_eq!(lines[1], format!("::notice title=explore::{counts}"));
    report.left_out = 3;
    assert!(report.github().ends_with("; time was up: 0 ended early, 3 not begun\n"), "{}", report.github());
}
