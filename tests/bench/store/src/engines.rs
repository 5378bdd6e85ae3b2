//! The engines, each behind one trait: a sorted map of bytes with atomic batches.
//!
//! All get the same cache. Durable means here what it means in the store: on the disk (fsync) before `apply` returns.

use anyhow::Result;
use std::{cell::RefCell, fs, path::Path};

pub type Pair = (Vec<u8>, Option<Vec<u8>>);

pub trait Engine: Send {
    /// Applies puts and removals atomically; if `durable`, they are on the disk when it returns.
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()>;
    /// Makes what was applied survive the process.
    fn flush(&self) -> Result<()>;
    /// What another thread calls to do the same meanwhile; the sleds have it.
    fn flusher(&self) -> Option<Box<dyn FnMut() -> Result<()> + Send>> {
        None
    }
    /// Calls `each` with every pair.
    fn each(&self, _each: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        anyhow::bail!("nobody walks through this engine")
    }
    /// Calls `ask` with one consistent (where the engine has that) look.
    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()>;
}

pub trait Look {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool>;
    /// The last `max` keys between `from` and `to`, downwards.
    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()>;
}

pub fn open(name: &str, dir: &Path, cache: u64) -> Result<Box<dyn Engine>> {
    fs::create_dir_all(dir)?;
    Ok(match name {
        "sled034" => Box::new(Sled034(
            sled::Config::new()
                .path(dir)
                .cache_capacity(cache)
                .mode(sled::Mode::HighThroughput)
                .flush_every_ms(None)
                .open()?,
        )),
        "sled034low" => Box::new(Sled034(
            sled::Config::new()
                .path(dir)
                .cache_capacity(cache)
                .mode(sled::Mode::LowSpace)
                .flush_every_ms(None)
                .open()?,
        )),
        "sled1" => Box::new(Sled1::<128>(RefCell::new(alpha(dir, cache, 3).open()?))),
        "sled1-64" => Box::new(Sled1::<64>(RefCell::new(alpha(dir, cache, 1).open()?))),
        "sled1-16" => Box::new(Sled1::<16>(RefCell::new(alpha(dir, cache, -3).open()?))),
        "sled1-32f" => Box::new(Sled1::<32>(RefCell::new(alpha(dir, cache, -3).open()?))),
        "sled1-32" => Box::new(Sled1::<32>(RefCell::new(alpha(dir, cache, 1).open()?))),
        "redb" => {
            let db = redb::Database::builder().set_cache_size(usize::try_from(cache)?).create(dir.join("redb"))?;
            let txn = db.begin_write()?;
            txn.open_table(TABLE)?;
            txn.commit()?;
            Box::new(Redb(db))
        }
        "fjall" => {
            let db = fjall::Database::builder(dir).cache_size(cache).open()?;
            let keys = db.keyspace("k", fjall::KeyspaceCreateOptions::default)?;
            Box::new(Fjall(db, keys))
        }
        "lmdb" => {
            // Safe: this process alone has the files open.
            let env = unsafe { heed::EnvOpenOptions::new().map_size(64 << 30).open(dir)? };
            let mut txn = env.write_txn()?;
            let db = env.create_database(&mut txn, None)?;
            txn.commit()?;
            Box::new(Lmdb(env, db))
        }
        "sqlite" => {
            let db = rusqlite::Connection::open(dir.join("db"))?;
            db.execute_batch(&format!(
                "pragma journal_mode=wal; pragma synchronous=full; pragma cache_size=-{};
                 create table if not exists kv(k blob primary key, v blob) without rowid;",
                cache >> 10
            ))?;
            Box::new(Sqlite(db))
        }
        "rocksdb" => {
            let mut options = rocksdb::Options::default();
            options.create_if_missing(true);
            let mut table = rocksdb::BlockBasedOptions::default();
            table.set_block_cache(&rocksdb::Cache::new_lru_cache(usize::try_from(cache)?)?);
            options.set_block_based_table_factory(&table);
            Box::new(Rocks(rocksdb::DB::open(&options, dir)?))
        }
        other => anyhow::bail!("no engine is called {other}"),
    })
}

struct Sled034(sled::Db);

impl Engine for Sled034 {
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()> {
        let mut batch = sled::Batch::default();
        for (key, value) in group {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        self.0.apply_batch(batch)?;
        if durable {
            self.0.flush()?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()?;
        Ok(())
    }

    fn flusher(&self) -> Option<Box<dyn FnMut() -> Result<()> + Send>> {
        let db = self.0.clone();
        Some(Box::new(move || Ok(db.flush().map(drop)?)))
    }

    fn each(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for pair in self.0.iter() {
            let (key, value) = pair?;
            each(&key, &value);
        }
        Ok(())
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        ask(self)
    }
}

impl Look for Sled034 {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.0.get(key)?;
        found.iter().for_each(|value| each(value));
        Ok(found.is_some())
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for pair in self.0.range(from..to).rev().take(max) {
            each(&pair?.0);
        }
        Ok(())
    }
}

fn alpha(dir: &Path, cache: u64, level: i32) -> sled1::Config {
    sled1::Config::new()
        .path(dir)
        .cache_capacity_bytes(usize::try_from(cache).unwrap_or(usize::MAX))
        .zstd_compression_level(level)
        .flush_every_ms(None)
}

struct Sled1<const FANOUT: usize>(RefCell<sled1::Db<FANOUT>>);

impl<const FANOUT: usize> Engine for Sled1<FANOUT> {
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()> {
        let mut batch = sled1::Batch::default();
        for (key, value) in group {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        self.0.borrow().apply_batch(batch)?;
        if durable {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.borrow().flush()?;
        Ok(())
    }

    fn flusher(&self) -> Option<Box<dyn FnMut() -> Result<()> + Send>> {
        let db = self.0.borrow().clone();
        Some(Box::new(move || Ok(db.flush().map(drop)?)))
    }

    fn each(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for pair in self.0.borrow().iter() {
            let (key, value) = pair?;
            each(&key, &value);
        }
        Ok(())
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        ask(self)
    }
}

impl<const FANOUT: usize> Look for Sled1<FANOUT> {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.0.borrow().get(key)?;
        found.iter().for_each(|value| each(value));
        Ok(found.is_some())
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for pair in self.0.borrow().range(from..to).rev().take(max) {
            each(&pair?.0);
        }
        Ok(())
    }
}

const TABLE: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("k");

struct Redb(redb::Database);

impl Engine for Redb {
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()> {
        let mut txn = self.0.begin_write()?;
        txn.set_durability(if durable { redb::Durability::Immediate } else { redb::Durability::None })?;
        {
            let mut table = txn.open_table(TABLE)?;
            for (key, value) in group {
                match value {
                    Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                    None => drop(table.remove(key.as_slice())?),
                }
            }
        }
        txn.commit()?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.apply(&[], true)
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        use redb::ReadableDatabase as _;
        ask(&RedbLook(self.0.begin_read()?.open_table(TABLE)?))
    }
}

struct RedbLook(redb::ReadOnlyTable<&'static [u8], &'static [u8]>);

impl Look for RedbLook {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.0.get(key)?;
        found.iter().for_each(|value| each(value.value()));
        Ok(found.is_some())
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for pair in self.0.range(from..to)?.rev().take(max) {
            each(pair?.0.value());
        }
        Ok(())
    }
}

struct Fjall(fjall::Database, fjall::Keyspace);

impl Engine for Fjall {
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()> {
        let mut batch = self.0.batch().durability(durable.then_some(fjall::PersistMode::SyncData));
        for (key, value) in group {
            match value {
                Some(value) => batch.insert(&self.1, key.as_slice(), value.as_slice()),
                None => batch.remove(&self.1, key.as_slice()),
            }
        }
        batch.commit()?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.persist(fjall::PersistMode::SyncAll)?;
        Ok(())
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        ask(self)
    }
}

impl Look for Fjall {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.1.get(key)?;
        found.iter().for_each(|value| each(value));
        Ok(found.is_some())
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for pair in self.1.range(from..to).rev().take(max) {
            each(&pair.key()?);
        }
        Ok(())
    }
}

type LmdbMap = heed::Database<heed::types::Bytes, heed::types::Bytes>;

struct Lmdb(heed::Env, LmdbMap);

impl Engine for Lmdb {
    // LMDB has one kind of commit: durable.
    fn apply(&self, group: &[Pair], _: bool) -> Result<()> {
        let mut txn = self.0.write_txn()?;
        for (key, value) in group {
            match value {
                Some(value) => self.1.put(&mut txn, key, value)?,
                None => drop(self.1.delete(&mut txn, key)?),
            }
        }
        txn.commit()?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.force_sync()?;
        Ok(())
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        ask(&LmdbLook(self.0.read_txn()?, self.1))
    }
}

struct LmdbLook<'a>(heed::RoTxn<'a, heed::WithTls>, LmdbMap);

impl Look for LmdbLook<'_> {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.1.get(&self.0, key)?;
        found.iter().for_each(|value| each(value));
        Ok(found.is_some())
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let range = (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
        for pair in self.1.rev_range(&self.0, &range)?.take(max) {
            each(pair?.0);
        }
        Ok(())
    }
}

struct Sqlite(rusqlite::Connection);

impl Engine for Sqlite {
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()> {
        self.0.execute_batch(if durable { "pragma synchronous=full; begin" } else { "pragma synchronous=off; begin" })?;
        {
            let mut put = self.0.prepare_cached("insert or replace into kv values (?, ?)")?;
            let mut remove = self.0.prepare_cached("delete from kv where k = ?")?;
            for (key, value) in group {
                match value {
                    Some(value) => put.execute((key, value))?,
                    None => remove.execute((key,))?,
                };
            }
        }
        self.0.execute_batch("commit")?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.execute_batch("pragma synchronous=full; pragma wal_checkpoint(truncate)")?;
        Ok(())
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        self.0.execute_batch("begin")?;
        let answer = ask(self);
        self.0.execute_batch("commit")?;
        answer
    }
}

impl Look for Sqlite {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let mut statement = self.0.prepare_cached("select v from kv where k = ?")?;
        let mut rows = statement.query((key,))?;
        let Some(row) = rows.next()? else { return Ok(false) };
        each(row.get_ref(0)?.as_blob()?);
        Ok(true)
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut statement =
            self.0.prepare_cached("select k from kv where k >= ? and k < ? order by k desc limit ?")?;
        let mut rows = statement.query((from, to, i64::try_from(max)?))?;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_blob()?);
        }
        Ok(())
    }
}

struct Rocks(rocksdb::DB);

impl Engine for Rocks {
    fn apply(&self, group: &[Pair], durable: bool) -> Result<()> {
        let mut batch = rocksdb::WriteBatch::default();
        for (key, value) in group {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        let mut options = rocksdb::WriteOptions::default();
        options.set_sync(durable);
        self.0.write_opt(batch, &options)?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()?;
        Ok(())
    }

    fn look(&self, ask: &mut dyn FnMut(&dyn Look) -> Result<()>) -> Result<()> {
        ask(self)
    }
}

impl Look for Rocks {
    fn get(&self, key: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.0.get_pinned(key)?;
        found.iter().for_each(|value| each(value));
        Ok(found.is_some())
    }

    fn last(&self, from: &[u8], to: &[u8], max: usize, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut cursor = self.0.raw_iterator();
        cursor.seek_for_prev(to);
        for _ in 0..max {
            match cursor.key() {
                Some(key) if key >= from => each(key),
                _ => break,
            }
            cursor.prev();
        }
        Ok(())
    }
}
