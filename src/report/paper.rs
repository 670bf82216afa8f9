//! The documents about an incident (S-58 to S-60, S-66, S-67): the templates as they stand, with
//! everything filled in that the journal knows.

use super::chronicle::Chronicle;
use super::facts::{Facts, moment};
use super::fill::{Field, field, fill, markdown};

const INCIDENT: &str = include_str!("../../assets/templates/incident.sh.txt");
const POSTMORTEM: &str = include_str!("../../assets/templates/postmortem.md");
const INTERNAL: &str = include_str!("../../assets/templates/internal.txt");
const CUSTOMER: &str = include_str!("../../assets/templates/customer.txt");
const MEETING: &str = include_str!("../../assets/templates/meeting.txt");

/// The labels of an incident report.
pub const LABELS: [&str; 3] = ["incident", "production", "rollback"];

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The report for the tracker (S-60).
    Incident,
    /// The post-mortem (S-67).
    Postmortem,
    /// The notification of colleagues (S-58), with the loss of data where there is one (S-42).
    Internal,
    /// What customers are told (S-59).
    Customer,
    /// The invitation to the post-mortem (S-66).
    Meeting,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Incident, Self::Postmortem, Self::Internal, Self::Customer, Self::Meeting];

    /// `incident`, `postmortem`, `internal`, `customer`, `meeting`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Postmortem => "postmortem",
            Self::Internal => "internal",
            Self::Customer => "customer",
            Self::Meeting => "meeting",
        }
    }

    /// Whether people inside read it, who may see curves, steps and names.
    pub fn is_inside(self) -> bool {
        match self {
            Self::Incident | Self::Postmortem | Self::Internal => true,
            Self::Customer | Self::Meeting => false,
        }
    }
}

/// A finished document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Its title, as plain text.
    pub title: String,
    /// The same as Markdown; empty where the body is plain text.
    pub heading: String,
    /// Labels for a tracker.
    pub labels: Vec<&'static str>,
    /// The text below the title.
    pub body: String,
    /// Whether the body is Markdown; else it is plain text, a line for a line.
    pub markdown: bool,
}

impl Paper {
    /// The document of that kind.
    pub fn of(kind: Kind, chronicle: &Chronicle) -> Self {
        let facts = Facts { chronicle };
        match kind {
            Kind::Incident => incident(facts),
            Kind::Postmortem => postmortem(facts),
            Kind::Internal => internal(facts),
            Kind::Customer => customer(facts),
            Kind::Meeting => meeting(facts),
        }
    }

    /// As a file: the title, the labels, the text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.markdown {
            text.extend([format!("# {}\n\n", self.heading)]);
        }
        if !self.labels.is_empty() {
            text.extend([format!("Labels: {}\n\n", self.labels.join(", "))]);
        }
        text.push_str(&self.body);
        text
    }
}

fn safe(value: Option<String>) -> Option<String> {
    value.map(|value| markdown(&value))
}

/// `- a\n- b`; nothing where there is nothing to list.
fn list(lines: &[String]) -> Option<String> {
    let lines: Vec<String> = lines.iter().map(|line| format!("- {line}")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The title and the body of the command of the document that opens an issue.
fn parts_of_issue() -> (&'static str, &'static str) {
    let between = |from: &str, to: &str| {
        let (_, rest) = INCIDENT.split_once(from)?;
        Some(rest.split_once(to)?.0)
    };
    let title = between("--title \"", "\"").unwrap_or_default();
    (title, between("--body \"\n", "\n\"").unwrap_or_default())
}

fn incident(facts: Facts<'_>) -> Paper {
    let (title, body) = parts_of_issue();
    Paper {
        title: fill(title, &[field("[Brief Description]", facts.title())]),
        heading: fill(title, &[field("[Brief Description]", safe(facts.title()))]),
        labels: LABELS.to_vec(),
        body: format!("{}\n", fill(body, &incident_fields(facts))),
        markdown: true,
    }
}

fn incident_fields(facts: Facts<'_>) -> Vec<Field> {
    let times = facts.chronicle.times();
    let at = |at: Option<crate::model::ids::Time>| at.map(moment);
    vec![
        field("$(date)", at(Some(times.detected))),
        field("[Critical/High/Medium]", facts.severity()),
        field("[X]", facts.duration()),
        field("[1/2/3]", facts.level()),
        field("[Time]", at(Some(times.detected))),
        field("[Time]", at(times.initiated)),
        field("[Time]", at(times.completed)),
        field("[Time]", at(times.verified)),
        field("[Estimate]", None),
        field("[List]", safe(facts.services())),
        field("[None/Details]", safe(facts.data_loss())),
        field("[To be determined - will update after analysis]", None),
        field(
            "Rolled back to version [X] using Level [1/2/3] rollback procedure.",
            resolution(facts),
        ),
    ]
}

/// The template's sentence; a rollback that did not end well has not resolved anything.
fn resolution(facts: Facts<'_>) -> Option<String> {
    let (version, level) = (facts.version()?, facts.level()?);
    if facts.succeeded() {
        let version = markdown(&version);
        let told =
            format!("Rolled back to version {version} using Level {level} rollback procedure.");
        return Some(with_steps(told, facts));
    }
    safe(facts.status())
}

/// The sentence, and below it what each step did and counted (M-18).
fn with_steps(told: String, facts: Facts<'_>) -> String {
    let steps: Vec<String> = facts.actions().iter().map(|line| markdown(line)).collect();
    match list(&steps) {
        Some(steps) => format!("{told}\n\n{steps}"),
        None => told,
    }
}

fn postmortem(facts: Facts<'_>) -> Paper {
    let (head, body) = POSTMORTEM.split_once("\n\n").unwrap_or_default();
    let title = head.trim_start_matches("# ");
    let named = facts.title().map(|title| format!("{} {title}", facts.name()));
    Paper {
        title: fill(title, &[field("[Incident Title]", named.clone())]),
        heading: fill(title, &[field("[Incident Title]", safe(named))]),
        labels: Vec::new(),
        body: fill(body, &postmortem_fields(facts)),
        markdown: true,
    }
}

fn postmortem_fields(facts: Facts<'_>) -> Vec<Field> {
    let times = facts.chronicle.times();
    let resolution = safe(facts.resolution()).map(|told| with_steps(told, facts));
    vec![
        field("[Date]", Some(times.detected.format("%Y-%m-%d").to_string())),
        field("[X]", facts.duration()),
        field("[Critical/High/Medium]", facts.severity()),
        field("[List]", safe(facts.services())),
        field("[2-3 sentence summary of what happened]", safe(facts.summary())),
        field("- **[Time]:** [Event]\n- **[Time]:** [Event]\n[...]", timeline(facts)),
        field("[Detailed explanation of what caused the issue]", None),
        field("[Number/percentage]", None),
        field("[If applicable]", None),
        field("[Details]", safe(facts.data_loss())),
        field("[How it was resolved]", resolution),
        field("- [List things that worked well]", None),
        field("- [List areas for improvement]", None),
        field("## Action Items\n", Some(format!("## Action Items\n{}", left_over(facts)))),
    ]
}

fn timeline(facts: Facts<'_>) -> Option<String> {
    let lines: Vec<String> = facts
        .chronicle
        .moments
        .iter()
        .map(|one| format!("**{}:** {}", moment(one.at), markdown(one.text.as_str())))
        .collect();
    list(&lines)
}

/// What is temporary still has an owner and a time already.
fn left_over(facts: Facts<'_>) -> String {
    let lines = facts.chronicle.last.leftovers.iter().map(|left| {
        let due = left.due.map_or_else(|| "[Date]".to_owned(), moment);
        let owner = left.handed_to.as_ref().unwrap_or(&left.owner);
        let (name, undo) = (markdown(left.name.as_str()), markdown(left.undo.as_str()));
        let owner = markdown(owner.as_str());
        format!("- [ ] Release what is left over: {name} ({undo}) - Owner: {owner} - Due: {due}\n")
    });
    lines.collect()
}

fn internal(facts: Facts<'_>) -> Paper {
    let (subject, body) = INTERNAL.split_once("\n\n").unwrap_or_default();
    let [health, errors, times] = facts.current();
    let named = facts.services().or_else(|| facts.environment());
    let dashed = |line: Option<String>| line.map(|line| format!("- {line}"));
    let unknown = |what: &str| Some(format!("- [{what}]"));
    let fields = [
        field("[Critical/High/Medium]", facts.severity()),
        field(
            "Rollback completed successfully",
            facts.status().or_else(|| Some("[No rollback was run]".to_owned())),
        ),
        field("Production", facts.environment()),
        field("[1/2/3]", facts.level()),
        field("[version]", facts.version()),
        field("[X] minutes", facts.downtime().map(|downtime| format!("{downtime} minutes"))),
        field("[None/Minimal/Details]", facts.data_loss()),
        field("- [List actions]", list(&facts.actions())),
        field("- All services healthy", dashed(health).or_else(|| unknown("Services"))),
        field("- Error rate normal", dashed(errors).or_else(|| unknown("Error rate"))),
        field("- Response time normal", dashed(times).or_else(|| unknown("Response time"))),
        field("[X] hours", None),
        field("[On-call engineer]", facts.contact()),
    ];
    let subject = fill(subject, &[field("[Service Name]", named)]);
    Paper {
        title: subject.trim_start_matches("Subject: ").to_owned(),
        heading: String::new(),
        labels: Vec::new(),
        body: format!("{subject}\n\n{}", fill(body, &fields)),
        markdown: false,
    }
}

fn customer(facts: Facts<'_>) -> Paper {
    let times = facts.chronicle.times();
    // Seconds and how we name things are nothing for customers.
    let said = |at: crate::model::ids::Time| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let fields = [
        field("[start time]", Some(said(times.detected))),
        field("[end time]", times.completed.map(said)),
        field(
            "The issue has been resolved and all services are now operating normally.",
            (!healed(facts)).then(|| {
                "[The issue has been resolved and all services are now operating normally.]"
                    .to_owned()
            }),
        ),
    ];
    Paper {
        title: "Service disruption".to_owned(),
        heading: String::new(),
        labels: Vec::new(),
        body: fill(CUSTOMER, &fields),
        markdown: false,
    }
}

/// Whether the journal bears out that everything works again.
fn healed(facts: Facts<'_>) -> bool {
    let [health, _, _] = facts.current();
    facts.chronicle.times().verified.is_some()
        && health.is_some_and(|said| said == "All services healthy")
}

fn meeting(facts: Facts<'_>) -> Paper {
    let due = facts.due().map_or_else(
        || "When: [within 24-48 hours after the rollback]".to_owned(),
        |due| format!("When: {due}"),
    );
    let title = facts.title().unwrap_or_else(|| "[Incident Title]".to_owned());
    Paper {
        title: format!("Post-mortem meeting: {} {title}", facts.name()),
        heading: String::new(),
        labels: Vec::new(),
        body: format!(
            "Subject: Post-mortem meeting: {} {title}\n{due}\n\n{}",
            facts.name(),
            MEETING.replacen(
                "- On-call engineer",
                &facts.contact().map_or_else(
                    || "- On-call engineer".to_owned(),
                    |name| format!("- On-call engineer ({name})")
                ),
                1
            )
        ),
        markdown: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Time;
    use crate::model::situation::Situation;
    use crate::report::fill::missing;

    fn nothing_known() -> Chronicle {
        let entry = crate::model::entry::Entry {
            seq: 1,
            v: 1,
            incident: None,
            at: Time::UNIX_EPOCH,
            author: crate::model::entry::Author::default(),
            epoch: 1,
            prev: crate::model::ids::Digest::default(),
            body: crate::model::entry::Body::Event(Box::new(
                crate::model::entry::Event::IncidentOpened { incident: 7, why: "".into() },
            )),
        };
        let mut chronicle = Chronicle::of(7, &[entry]).unwrap();
        chronicle.last = Situation::default();
        chronicle
    }

    #[test]
    fn every_bracket_of_the_templates_is_one_that_is_asked_for() {
        let chronicle = nothing_known();
        let facts = Facts { chronicle: &chronicle };
        let (title, body) = parts_of_issue();
        assert_eq!(title, "Production Rollback: [Brief Description]");
        assert_eq!(missing(body, &incident_fields(facts)), Vec::<&str>::new());
        assert_eq!(missing(POSTMORTEM, &postmortem_fields(facts)), Vec::<&str>::new());
        assert!(INCIDENT.contains(&format!("--label \"{}\"", LABELS.join(","))));
        assert!(MEETING.contains("- On-call engineer\n"));
    }

    #[test]
    fn what_nobody_knows_is_left_as_the_template_has_it() {
        let chronicle = nothing_known();
        let text = |kind| Paper::of(kind, &chronicle).text();
        let incident = text(Kind::Incident);
        for kept in [
            "Production Rollback: [Brief Description]",
            "**Severity:** [Critical/High/Medium]",
            "**Duration:** [X] minutes",
            "- **[Time]:** Rollback completed",
            "Rolled back to version [X] using Level [1/2/3] rollback procedure.",
        ] {
            assert!(incident.contains(kept), "{kept}: {incident}");
        }
        let internal = text(Kind::Internal);
        for kept in ["[Service Name]", "[No rollback was run]", "- [Error rate]", "[version]"] {
            assert!(internal.contains(kept), "{kept}: {internal}");
        }
        assert!(!internal.contains("All services healthy"), "{internal}");
        let customer = text(Kind::Customer);
        assert!(customer.contains("[end time]") && customer.contains("[The issue"), "{customer}");
        assert!(text(Kind::Postmortem).contains("[Incident Title]"));
    }
}
