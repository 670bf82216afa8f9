//! Who is attached, and what they ask.

use crate::failure::Failure;
use crate::link::{Answer, ClientKind, ServerEvent};
use crate::model::entry::{Abort, Author, Command, Event};
use crate::model::ids::CommandId;
use crate::model::incident::RunState;
use crate::text::SafeText;

use super::answer::{Asker, answer};
use super::books::Line;
use super::run::{Client, Engine};

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
                self.give_lead_back(client, lines);
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
                self.server.answer(client, id, answered);
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
        let asker =
            Asker { author: author.clone(), read_only, leads, lead_alive: self.lead_is_alive() };
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
        let mut all = vec![Line::Command(author, id.clone(), command.clone())];
        all.extend(accepted.events.into_iter().map(Line::from));
        // What follows from a command is written with it: a crash leaves both or neither.
        match &command {
            Command::Approve { plan, reason, .. } => {
                let by = self.name_of(client);
                self.start_run(plan, by, reason.clone(), &mut all);
            }
            Command::EndWatch { .. } => self.end_watch_now(&mut all),
            _ => {}
        }
        self.write(all).await?;
        let seq = self.books.situation.seq;
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
            Command::Abort { verb } if verb != Abort::Stop => {
                for live in self.live.values() {
                    live.cancel.send_replace(true);
                }
            }
            Command::TakeLead { .. } => self.lead = Some(client),
            Command::Answer { .. } => self.live_at = None,
            Command::Abort { .. }
            | Command::Approve { .. }
            | Command::EndWatch { .. }
            | Command::Retry { .. }
            | Command::Skip { .. }
            | Command::MarkDone { .. }
            | Command::Resume { .. }
            | Command::Pause
            | Command::Note { .. }
            | Command::Detach
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

    fn name_of(&self, client: u64) -> SafeText {
        self.clients.get(&client).map(|client| client.author.name.clone()).unwrap_or_default()
    }

    pub(super) fn lead_is_alive(&self) -> bool {
        if self.lead.is_some() {
            return true;
        }
        let lost = self.books.situation.lead.as_ref().and_then(|lead| lead.lost_at);
        lost.is_some_and(|at| self.clock.now() - at < LEAD_HOLDS)
    }

    /// The person whose line dropped leads again when they are back; so does the first to come.
    fn give_lead_back(&mut self, client: u64, lines: &mut Vec<Line>) {
        let Some(new) = self.clients.get(&client).filter(|client| client.commands) else { return };
        if self.lead.is_some() {
            return;
        }
        let lead = self.books.situation.lead.as_ref();
        let same = lead
            .is_some_and(|lead| lead.who.uid == new.author.uid && lead.who.name == new.author.name);
        if lead.is_none() || same {
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
        if command.is_open() || self.lead_is_alive() {
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
