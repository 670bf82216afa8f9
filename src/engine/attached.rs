//! Who is attached, and what they ask.

use crate::failure::Failure;
use crate::link::{Answer, ClientKind, ServerEvent};
use crate::model::entry::{Abort, Author, Command, Event};
use crate::model::guide::Deed;
use crate::model::ids::CommandId;
use crate::model::incident::RunState;
use crate::text::SafeText;

use super::answer::{Asker, answer};
use super::books::Line;
use super::far::Far;
use super::run::{Client, Engine};

/// Why an engine that is not needed any more ends.
pub(super) const NOBODY: &str = "nobody is attached";
/// How long a lead without a living console keeps the lead.
const LEAD_HOLDS: chrono::Duration = chrono::Duration::seconds(30);

impl Engine {
    /// Takes one message of the link. A command is written and answered before the next one.
    pub(super) async fn server_event(
        &mut self,
        event: ServerEvent,
        lines: &mut Vec<Line>,
    ) -> Result<(), Failure> {
        match event {
            ServerEvent::Attached { client, author, kind, read_only, .. } => {
                let commands = kind != ClientKind::Observer && !read_only;
                self.clients.insert(client, Client { author, commands, read_only: !commands });
                self.alone_since = None;
                // Who comes in the moment of its end keeps it.
                self.ending.take_if(|why| why == NOBODY);
                self.give_lead_back(client, kind == ClientKind::Console, lines);
            }
            ServerEvent::Gone { client } => {
                self.clients.remove(&client);
                if self.lead == Some(client) {
                    self.lead = None;
                    lines.push(Line::from(Event::LeadLost));
                }
                if self.clients.is_empty() {
                    self.alone_since = Some(self.clock.now());
                }
            }
            ServerEvent::Command { client, author, id, command } => {
                // What was seen before the command is folded before it is judged.
                self.write(std::mem::take(lines)).await?;
                let answered = self.command(client, author, &id, command).await?;
                if Far::has(client) {
                    self.far.answer(id, answered);
                } else {
                    self.server.answer(client, id, answered);
                }
            }
        }
        self.live_at = None;
        Ok(())
    }

    async fn command(
        &mut self,
        client: u64,
        author: Author,
        id: &CommandId,
        command: Command,
    ) -> Result<Answer, Failure> {
        self.lead_if_nobody_does(client, &command).await?;
        let read_only = self.clients.get(&client).is_none_or(|client| client.read_only);
        let leads = self.lead == Some(client);
        let (lead_alive, silent_for) = (self.lead_is_alive(), self.silent_for());
        let at = self.clock.now();
        let asker = Asker { author: author.clone(), read_only, leads, lead_alive, silent_for, at };
        let accepted = match answer(&self.books.situation, &asker, id, &command) {
            Ok(accepted) => accepted,
            Err(no) => return Ok(Answer::Refused { why: no.why, hint: no.hint }),
        };
        if accepted.repeated {
            return Ok(Answer::Accepted { seq: self.books.situation.seq });
        }
        if self.cannot_undo(&command) {
            return Ok(Answer::Refused {
                why: "the run is over".to_owned(),
                hint: "make a new plan".to_owned(),
            });
        }
        if let Some(refused) = self.cannot_hold(&command) {
            return Ok(refused);
        }
        if let Some(refused) = self.cannot_guide(&command) {
            return Ok(refused);
        }
        if let Some(refused) = self.locked_elsewhere(&command) {
            return Ok(refused);
        }
        let to = match self.new_lead(client, &accepted.events) {
            Ok(to) => to,
            Err(why) => {
                let hint = "they must be attached to lead".to_owned();
                return Ok(Answer::Refused { why, hint });
            }
        };
        let judged = match self.judgement(&author, &command) {
            Ok(judged) => judged,
            Err(no) => return Ok(Answer::Refused { why: no.why, hint: no.hint }),
        };
        self.desk.dirty = true;
        let first = accepted.events.iter().any(|one| matches!(one, Event::ApprovalAsked(_)));
        let mut all = vec![Line::Command(author, id.clone(), command.clone())];
        all.extend(accepted.events.into_iter().map(Line::from));
        all.extend(judged.map(Line::from));
        // What follows from a command is written with it: a crash leaves both or neither.
        match &command {
            // The first of two people starts nothing yet.
            Command::Approve { .. } if first => {}
            Command::Approve { plan, reason, accept_loss, .. } => {
                let said = (self.name_of(client), *accept_loss);
                let known = &self.books.situation;
                let (by, accepted) = super::second::started_by(known, plan, at, said);
                self.start_run(plan, by, (reason.clone(), accepted), &mut all);
            }
            Command::EndWatch { .. } => self.end_watch_now(&mut all),
            Command::Hold { parts, reason } => self.hold_asked(client, parts, reason, &mut all),
            Command::Deploy { report } => self.deploy_reported(report, client, &mut all),
            Command::Trigger { call } => self.trigger_asked(call, &mut all),
            _ => {}
        }
        self.write(all).await?;
        let seq = self.books.situation.seq;
        if to.is_some() {
            self.lead = to;
        }
        self.follow_up(client, command);
        Ok(Answer::Accepted { seq })
    }

    /// What the engine does at once because of an accepted command.
    fn follow_up(&mut self, client: u64, command: Command) {
        match command {
            Command::Plan { level, target } => {
                let by = self.name_of(client);
                self.begin_plan(by, level, target);
            }
            Command::PlanUndo { run } => {
                let by = self.name_of(client);
                self.begin_undo(by, &run);
            }
            // The list shows it with the next look, and that comes soon.
            Command::Deploy { .. } => self.observed_at = None,
            Command::Abort { verb } if verb != Abort::Stop => {
                for live in self.live.values() {
                    live.cancel.send_replace(true);
                }
            }
            Command::Trigger { call } => {
                let by = self.name_of(client);
                self.trigger_plans(by, &call);
            }
            Command::EmergencyStop { hard, .. } => self.stop_everything(hard),
            Command::Export { write } => {
                let by = self.name_of(client);
                self.export_asked(write, by);
            }
            Command::Answer { .. } | Command::Overrule { .. } => self.live_at = None,
            Command::Guide { guide, step, deed: Deed::Look | Deed::Change, .. } => {
                self.run_guide(&guide, step);
            }
            Command::Abort { .. }
            | Command::Approve { .. }
            | Command::Choose { .. }
            | Command::EndWatch { .. }
            | Command::Retry { .. }
            | Command::Skip { .. }
            | Command::MarkDone { .. }
            | Command::Resume { .. }
            | Command::Pause
            | Command::Note { .. }
            | Command::TakeLead { .. }
            | Command::HandLead { .. }
            | Command::Detach
            | Command::Hold { .. }
            | Command::Unhold { .. }
            | Command::Release { .. }
            | Command::HandOver { .. }
            | Command::Pin { .. }
            | Command::Unpin { .. }
            | Command::Since { .. }
            | Command::Mute { .. }
            | Command::Unmute { .. }
            | Command::Override { .. }
            | Command::Unset { .. }
            | Command::Veto { .. }
            | Command::Freeze { .. }
            | Command::Tick { .. }
            | Command::Inform { .. }
            | Command::Guide { deed: Deed::Done { .. }, .. }
            | Command::Acknowledge { .. }
            | Command::Lock { .. }
            | Command::Unlock { .. }
            | Command::Close => {}
        }
    }

    fn cannot_undo(&self, command: &Command) -> bool {
        let ended = self
            .books
            .situation
            .run
            .as_ref()
            .is_some_and(|run| matches!(run.state(), RunState::Stable | RunState::Closed));
        matches!(command, Command::Abort { .. }) && ended
    }

    pub(super) fn name_of(&self, client: u64) -> SafeText {
        self.clients.get(&client).map(|client| client.author.name.clone()).unwrap_or_default()
    }

    /// The client that leads after these events, when they change it: the one that sent the
    /// command where it is the same person, else the newest of that person.
    fn new_lead(&self, client: u64, events: &[Event]) -> Result<Option<u64>, String> {
        let taken = events.iter().find_map(|event| match event {
            Event::LeadTaken { who, .. } => Some(who),
            _ => None,
        });
        let Some(who) = taken else { return Ok(None) };
        let same = |id: &u64| {
            self.clients.get(id).is_some_and(|client| {
                client.commands && (client.author.uid, &client.author.name) == (who.uid, &who.name)
            })
        };
        if same(&client) {
            return Ok(Some(client));
        }
        let newest = self.clients.keys().rev().find(|id| same(id));
        newest.map(|id| Some(*id)).ok_or_else(|| format!("{} is no longer attached", who.name))
    }

    /// Seconds until a lead whose line is gone can be taken over; nothing while it is attached or
    /// when it can be already.
    fn silent_for(&self) -> Option<u64> {
        let lost = self.books.situation.lead.as_ref().and_then(|lead| lead.lost_at)?;
        let left = (LEAD_HOLDS - (self.clock.now() - lost)).num_seconds();
        u64::try_from(left).ok().filter(|_| self.lead.is_none()).map(|left| left + 1)
    }

    pub(super) fn lead_is_alive(&self) -> bool {
        if self.lead.is_some() {
            return true;
        }
        let lost = self.books.situation.lead.as_ref().and_then(|lead| lead.lost_at);
        lost.is_some_and(|at| self.clock.now() - at < LEAD_HOLDS)
    }

    /// The person whose line dropped leads again when they are back; so does the first console to
    /// come. A command line leads when it asks for something that needs the lead: a pipeline that
    /// reports its deploy must not keep a person from acting.
    fn give_lead_back(&mut self, client: u64, console: bool, lines: &mut Vec<Line>) {
        let Some(new) = self.clients.get(&client).filter(|client| client.commands) else { return };
        if self.lead.is_some() {
            return;
        }
        let lead = self.books.situation.lead.as_ref();
        let same = lead
            .is_some_and(|lead| lead.who.uid == new.author.uid && lead.who.name == new.author.name);
        if (lead.is_none() && console) || same {
            // The same person again is no change that an approval could trip over.
            let term = lead.map_or(1, |lead| lead.term);
            lines.push(Line::from(Event::LeadTaken { who: new.author.clone(), term }));
            self.lead = Some(client);
        }
    }

    /// A command that needs the lead takes it when nobody has it.
    async fn lead_if_nobody_does(&mut self, client: u64, command: &Command) -> Result<(), Failure> {
        let Some(asker) = self.clients.get(&client).filter(|client| client.commands) else {
            return Ok(());
        };
        let leads = !matches!(
            command,
            Command::Deploy { .. } | Command::Pin { .. } | Command::Unpin { .. }
        );
        if !leads || command.is_open() || command.only_judges() || self.lead_is_alive() {
            return Ok(());
        }
        let term = self.books.situation.lead.as_ref().map_or(0, |lead| lead.term) + 1;
        // An approval names the term it was given under: a silent change would be another fact.
        if matches!(command, Command::Approve { .. } | Command::TakeLead { .. }) && term > 1 {
            return Ok(());
        }
        let who = asker.author.clone();
        self.lead = Some(client);
        self.write(vec![Line::from(Event::LeadTaken { who, term })]).await
    }
}
