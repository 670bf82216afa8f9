-- The journal of one environment in PostgreSQL (`journal: postgres://…`), for teams with several
-- bastions. Run once, as the owner of a database that is for this journal alone and is none of those
-- that backout rolls back:
--
--   createdb backout_production
--   psql -v ON_ERROR_STOP=1 --single-transaction -d backout_production -f journal-postgres.sql
--
-- Then one role for the engine, and one for each engineer (their name is the author of what they
-- ask, so nobody shares one):
--
--   CREATE ROLE production_engine LOGIN PASSWORD '…' IN ROLE backout_engine;
--   CREATE ROLE alice LOGIN PASSWORD '…' IN ROLE backout_engineer;
--   CREATE ROLE auditor LOGIN PASSWORD '…' IN ROLE backout_observer;
--
-- Whoever may also become the engine, on a bastion where `backout` itself starts one, is in both:
-- IN ROLE backout_engineer, backout_engine. Each bastion's configuration names its own role.
--
-- Nobody may change or remove an entry, not even the engine. No session state is used: PgBouncer in
-- transaction mode may stand in between.

CREATE SCHEMA backout;

-- The format, so that an older program refuses what a newer one wrote.
CREATE TABLE backout.journal (
    one integer PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    format integer NOT NULL
);
INSERT INTO backout.journal (format) VALUES (1);

-- Entries, only ever inserted; the same bytes and the same chain as in a file.
CREATE TABLE backout.entries (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    epoch bigint NOT NULL CHECK (epoch > 0),
    kind text NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    bytes bytea NOT NULL CHECK (length(bytes) <= 4194304)
);
CREATE INDEX carried ON backout.entries (seq) WHERE kind = 'carried';

-- Who writes: one engine, until its time is over by this server's clock.
CREATE TABLE backout.lease (
    one integer PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    epoch bigint NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '',
    host text NOT NULL DEFAULT '',
    pid bigint NOT NULL DEFAULT 0,
    taken timestamptz NOT NULL DEFAULT '-infinity',
    expires timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO backout.lease DEFAULT VALUES;

-- What engineers ask. Who asked is what the server says, never what the client says.
CREATE TABLE backout.commands (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 200),
    author name NOT NULL DEFAULT session_user,
    client text NOT NULL CHECK (length(client) <= 200),
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body text NOT NULL CHECK (length(body) <= 65536),
    answer text,
    answered_at timestamptz
);
CREATE INDEX unanswered ON backout.commands (number) WHERE answer IS NULL;

-- Who looks at the engine from another host, until they are silent for a while. Who they are is what the
-- server says, too, and only an engineer is more than an observer.
CREATE TABLE backout.presence (
    author name NOT NULL DEFAULT session_user,
    client text NOT NULL CHECK (length(client) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('console', 'cli', 'observer')),
    version text NOT NULL CHECK (length(version) <= 64),
    here boolean NOT NULL,
    seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (author, client)
);

-- What is true only now, for consoles on other hosts: the engine writes it while one is there. Gone
-- without loss.
CREATE UNLOGGED TABLE backout.live (
    one integer PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    number bigint NOT NULL DEFAULT 1,
    body text NOT NULL CHECK (length(body) <= 4194304)
);

CREATE FUNCTION backout.attest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.author := session_user;
    NEW.sent_at := clock_timestamp();
    NEW.answer := NULL;
    NEW.answered_at := NULL;
    PERFORM pg_notify('backout_commands', '');
    RETURN NEW;
END $$;
CREATE TRIGGER attest BEFORE INSERT ON backout.commands
    FOR EACH ROW EXECUTE FUNCTION backout.attest();

CREATE FUNCTION backout.attest_presence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.author <> session_user THEN
        RAISE EXCEPTION 'this is how % is there', OLD.author;
    END IF;
    NEW.author := session_user;
    NEW.seen := clock_timestamp();
    IF NOT pg_has_role(session_user, 'backout_engineer', 'MEMBER') THEN
        NEW.kind := 'observer';
    END IF;
    IF TG_OP = 'INSERT' OR OLD.here <> NEW.here THEN
        PERFORM pg_notify('backout_commands', '');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attest BEFORE INSERT OR UPDATE ON backout.presence
    FOR EACH ROW EXECUTE FUNCTION backout.attest_presence();

-- Wakes who waits for entries and answers; whoever cannot listen looks now and then.
CREATE FUNCTION backout.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('backout_news', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON backout.entries
    FOR EACH STATEMENT EXECUTE FUNCTION backout.tell();
CREATE TRIGGER tell AFTER UPDATE OF answer ON backout.commands
    FOR EACH STATEMENT EXECUTE FUNCTION backout.tell();

CREATE FUNCTION backout.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the journal are never changed or removed';
END $$;
CREATE TRIGGER only_insert BEFORE UPDATE OR DELETE OR TRUNCATE ON backout.entries
    FOR EACH STATEMENT EXECUTE FUNCTION backout.refuse();

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['backout_engine', 'backout_engineer', 'backout_observer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON SCHEMA backout FROM PUBLIC;
GRANT USAGE ON SCHEMA backout TO backout_engine, backout_engineer, backout_observer;
GRANT SELECT ON ALL TABLES IN SCHEMA backout TO backout_engine, backout_engineer, backout_observer;

GRANT INSERT ON backout.entries TO backout_engine;
GRANT UPDATE (epoch, holder, host, pid, taken, expires) ON backout.lease TO backout_engine;
GRANT UPDATE (answer, answered_at) ON backout.commands TO backout_engine;

GRANT INSERT (id, client, body) ON backout.commands TO backout_engineer;

GRANT INSERT (client, kind, version, here), UPDATE (kind, version, here)
    ON backout.presence TO backout_engineer, backout_observer;
GRANT DELETE ON backout.presence TO backout_engine;
GRANT INSERT (body), UPDATE (number, body) ON backout.live TO backout_engine;
