//! What one statement does, from its parsed form.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, AssignmentTarget, ColumnDef,
    ColumnOption, CopyTarget, Delete, FromTable, Insert, ObjectName, ObjectType, OnConflictAction,
    OnInsert, Set, SqliteOnConflict, Statement, TableFactor, TableObject, TableWithJoins, Update,
};
use sqlparser::dialect::{PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use crate::adapters::database::Column;

use super::classify::{How, Nature, Taken};

/// Tables in which migration tools keep what is applied: a row there is no one's data.
const LEDGERS: [&str; 4] =
    ["schema_migrations", "alembic_version", "django_migrations", "_sqlx_migrations"];
/// Settings inside `SQLite` that a script may change without harm.
const HARMLESS_PRAGMAS: [&str; 4] =
    ["foreign_keys", "defer_foreign_keys", "legacy_alter_table", "user_version"];
/// What one statement does.
#[derive(Default)]
pub(super) struct One {
    /// The kind of change.
    pub(super) nature: Nature,
    /// What it takes away.
    pub(super) taken: Vec<Taken>,
    /// What it makes.
    pub(super) made: Vec<Column>,
    /// Why it is not run at all.
    pub(super) refused: Option<String>,
    /// Whether nobody can read it.
    pub(super) unclear: bool,
}

impl One {
    fn of(nature: Nature) -> Self {
        Self { nature, ..Self::default() }
    }

    fn takes(nature: Nature, how: How, what: impl IntoIterator<Item = Column>) -> Self {
        let taken = what.into_iter().map(|what| Taken { what, how }).collect();
        Self { nature, taken, ..Self::default() }
    }

    fn refused(nature: Nature, why: &str) -> Self {
        Self { nature, refused: Some(why.to_owned()), ..Self::default() }
    }

    fn unclear() -> Self {
        Self { nature: Nature::Destructive, unclear: true, ..Self::default() }
    }
}

/// Judges one statement; `edge` says that it is the first or the last of its script.
pub(super) fn one(statement: &str, edge: bool) -> One {
    if let Some(found) = by_its_words(statement, edge) {
        return found;
    }
    let parsed = Parser::parse_sql(&SQLiteDialect {}, statement)
        .or_else(|_| Parser::parse_sql(&PostgreSqlDialect {}, statement));
    match parsed.as_deref() {
        Ok([one]) => parsed_one(one, statement),
        Ok(_) | Err(_) => One::unclear(),
    }
}

/// What is known by how it begins, whatever follows: commands of a client, transactions, and what
/// the parser does not know.
fn by_its_words(statement: &str, edge: bool) -> Option<One> {
    if outside_quotes(statement, '\\') || statement.starts_with('.') {
        let why = "is a command of a client program, which can start anything";
        return Some(One::refused(Nature::NonTransactional, why));
    }
    let words: Vec<String> = statement.split_whitespace().take(4).map(str::to_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        ["BEGIN" | "COMMIT" | "END", ..] | ["START", "TRANSACTION", ..] if edge => {
            One::of(Nature::Additive)
        }
        ["BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "ABORT", ..]
        | ["START", "TRANSACTION", ..] => One::refused(
            Nature::NonTransactional,
            "stands in the middle: the script cannot be one transaction",
        ),
        ["VACUUM", ..] => One::refused(Nature::NonTransactional, "cannot be inside a transaction"),
        ["ATTACH" | "DETACH", ..] => {
            One::refused(Nature::NonTransactional, "reaches into another database")
        }
        ["CREATE", "TRIGGER", ..] | ["CREATE", "TEMP" | "TEMPORARY", "TRIGGER", ..] => {
            One::of(Nature::Rewriting)
        }
        // The parser does not know all that may be set.
        ["PRAGMA", ..] if is_harmless_pragma(statement) => One::of(Nature::Additive),
        ["PRAGMA", ..] => {
            One::refused(Nature::NonTransactional, "changes how the database keeps its data")
        }
        ["REINDEX" | "ANALYZE", ..] => One::of(Nature::Additive),
        _ => return None,
    };
    Some(found)
}

fn is_harmless_pragma(statement: &str) -> bool {
    let name = statement.split_whitespace().skip(1).collect::<String>().to_lowercase();
    let name = name.split(['=', '(']).next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    HARMLESS_PRAGMAS.contains(&name)
}

/// Whether `mark` is in the statement outside of strings and quoted names.
fn outside_quotes(statement: &str, mark: char) -> bool {
    let mut inside = None;
    statement.chars().any(|c| {
        match inside {
            Some(close) if c == close => inside = None,
            Some(_) => {}
            None if c == '[' => inside = Some(']'),
            None if matches!(c, '\'' | '"' | '`') => inside = Some(c),
            None => return c == mark,
        }
        false
    })
}

fn parsed_one(statement: &Statement, text: &str) -> One {
    match statement {
        Statement::AlterTable(alter) => alter_table(alter),
        Statement::CreateTable(create) if create.or_replace => {
            One::takes(Nature::Destructive, How::Dropped, table(&create.name))
        }
        Statement::CreateTable(create) => One {
            // A table that was there may stay as it is: then nothing was made.
            made: table(&create.name).into_iter().filter(|_| !create.if_not_exists).collect(),
            ..One::default()
        },
        Statement::CreateIndex(index) if index.concurrently => {
            One::refused(Nature::NonTransactional, "cannot be inside a transaction")
        }
        // One that allows less refuses what an old program writes.
        Statement::CreateIndex(index) if index.unique && !is_ledger(&index.table_name) => {
            One::of(Nature::Rewriting)
        }
        Statement::CreateView(view) if view.or_replace => One::of(Nature::Rewriting),
        Statement::CreateIndex(_)
        | Statement::CreateView(_)
        | Statement::CreateVirtualTable { .. }
        | Statement::Comment { .. } => One::of(Nature::Additive),
        Statement::Drop { object_type, names, .. } => dropping(*object_type, names),
        Statement::DropTrigger(_) => One::of(Nature::Rewriting),
        Statement::Truncate(truncate) => {
            let names = truncate.table_names.iter().filter_map(|target| table(&target.name));
            One::takes(Nature::Destructive, How::Removed, names)
        }
        Statement::Insert(insert) => inserting(insert),
        Statement::Update(update) => updating(update),
        Statement::Delete(delete) => deleting(delete),
        // A function can do anything.
        Statement::Query(_) if !outside_quotes(text, '(') => One::of(Nature::Additive),
        Statement::Set(set) => setting(set, text),
        Statement::Copy { target: CopyTarget::Program { .. }, .. } => {
            One::refused(Nature::NonTransactional, "starts a program")
        }
        Statement::Copy { .. } => {
            One::refused(Nature::Destructive, "reads or writes files beside the database")
        }
        Statement::CreateExtension(_) | Statement::DropExtension(_) => {
            One::refused(Nature::Destructive, "changes the server, which takes a superuser")
        }
        Statement::CreateDatabase { .. } => {
            One::refused(Nature::NonTransactional, "is about a whole database")
        }
        _ => One::unclear(),
    }
}

fn alter_table(alter: &AlterTable) -> One {
    let name = last_of(&alter.name);
    let column = |column: &str| Column { table: name.clone(), column: Some(column.to_owned()) };
    let mut all = One::default();
    for operation in &alter.operations {
        let one = match operation {
            AlterTableOperation::AddColumn { column_def, .. } => One {
                nature: if may_stay_empty(column_def) {
                    Nature::Additive
                } else {
                    Nature::Rewriting
                },
                made: vec![column(&column_def.name.value)],
                ..One::default()
            },
            AlterTableOperation::DropColumn { column_names, .. } => One::takes(
                Nature::Destructive,
                How::Dropped,
                column_names.iter().map(|name| column(&name.value)),
            ),
            AlterTableOperation::AlterColumn {
                column_name,
                op: AlterColumnOperation::SetDataType { .. },
            } => One::takes(Nature::Rewriting, How::Rewritten, [column(&column_name.value)]),
            AlterTableOperation::AlterColumn { .. }
            | AlterTableOperation::RenameColumn { .. }
            | AlterTableOperation::RenameTable { .. }
            | AlterTableOperation::AddConstraint { .. }
            | AlterTableOperation::DropConstraint { .. }
            | AlterTableOperation::RenameConstraint { .. } => One::of(Nature::Rewriting),
            _ => One::unclear(),
        };
        all.nature = all.nature.max(one.nature);
        all.taken.extend(one.taken);
        all.made.extend(one.made);
        all.unclear |= one.unclear;
    }
    all
}

/// Whether an old program's rows without this column are taken.
fn may_stay_empty(column: &ColumnDef) -> bool {
    let options = || column.options.iter().map(|option| &option.option);
    let defaults = options().any(|option| matches!(option, ColumnOption::Default(_)));
    options().all(|option| match option {
        ColumnOption::NotNull => defaults,
        ColumnOption::Unique(_) | ColumnOption::PrimaryKey(_) | ColumnOption::Check(_) => false,
        _ => true,
    })
}

fn dropping(kind: ObjectType, names: &[ObjectName]) -> One {
    match kind {
        ObjectType::Table => {
            One::takes(Nature::Destructive, How::Dropped, names.iter().filter_map(table))
        }
        ObjectType::Index | ObjectType::View => One::of(Nature::Rewriting),
        ObjectType::Database | ObjectType::Schema => {
            One::refused(Nature::NonTransactional, "drops more than a migration may")
        }
        _ => One::unclear(),
    }
}

fn inserting(insert: &Insert) -> One {
    let TableObject::TableName(name) = &insert.table else { return One::unclear() };
    if is_ledger(name) {
        return One::of(Nature::Additive);
    }
    let updates = matches!(
        &insert.on,
        Some(OnInsert::OnConflict(on)) if !matches!(on.action, OnConflictAction::DoNothing)
    ) || matches!(&insert.on, Some(OnInsert::DuplicateKeyUpdate(_)));
    let replaces = insert.replace_into || matches!(insert.or, Some(SqliteOnConflict::Replace));
    if updates || replaces || insert.overwrite {
        return One::takes(Nature::DataOnly, How::Rewritten, table(name));
    }
    One::of(Nature::DataOnly)
}

fn updating(update: &Update) -> One {
    let Some(name) = named(&update.table) else { return One::unclear() };
    if is_ledger(name) {
        return One::of(Nature::Additive);
    }
    let of = last_of(name);
    let columns = update.assignments.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(column) => vec![last_of(column)],
        AssignmentTarget::Tuple(columns) => columns.iter().map(last_of).collect(),
    });
    let columns = columns.map(|column| Column { table: of.clone(), column: Some(column) });
    One::takes(Nature::DataOnly, How::Rewritten, columns)
}

fn deleting(delete: &Delete) -> One {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let names: Vec<&ObjectName> = from.iter().filter_map(named).collect();
    if names.is_empty() {
        return One::unclear();
    }
    if names.iter().all(|name| is_ledger(name)) {
        return One::of(Nature::Additive);
    }
    One::takes(Nature::Destructive, How::Removed, names.into_iter().filter_map(table))
}

/// A script's own limits would be in place of ours.
fn setting(set: &Set, text: &str) -> One {
    let lower = text.to_lowercase();
    let ours = ["synchronous_commit", "statement_timeout", "lock_timeout", "session_replication"];
    match ours.iter().find(|name| lower.contains(**name)) {
        Some(name) => {
            let why = format!("changes {name}, which is set for it");
            One::refused(Nature::NonTransactional, &why)
        }
        None if matches!(set, Set::SingleAssignment { .. }) => One::of(Nature::Additive),
        None => One::unclear(),
    }
}

fn named(table: &TableWithJoins) -> Option<&ObjectName> {
    match &table.relation {
        TableFactor::Table { name, .. } if table.joins.is_empty() => Some(name),
        _ => None,
    }
}

/// The last part of a name, without its quotes.
fn last_of(name: &ObjectName) -> String {
    let ident = name.0.last().and_then(|part| part.as_ident());
    ident.map_or_else(|| name.to_string(), |ident| ident.value.clone())
}

fn table(name: &ObjectName) -> Option<Column> {
    (!is_ledger(name)).then(|| Column { table: last_of(name), column: None })
}

fn is_ledger(name: &ObjectName) -> bool {
    is_one_of(name, &LEDGERS)
}

fn is_one_of(name: &ObjectName, known: &[&str]) -> bool {
    known.contains(&last_of(name).to_lowercase().as_str())
}
