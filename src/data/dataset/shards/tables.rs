//! The images in tables, in any order.
//!
//! A table is compressed page by page, and a page holds tens to thousands of images (about 1 MB of them, or 1,024 rows): one image
//! costs reading its page. Decoded pages are kept, up to 256 MiB of them, so that images in the order of the table cost one read of
//! it, small tables are decoded once, and large ones in random order are read once per image and page. Tar shards are the form for
//! those.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::file::reader::FileReader;

use super::table::{Table, open, read};

/// The most bytes of decoded pages that are kept.
const MOST_BYTES: usize = 256 << 20;
/// The most decoded pages and open tables that are kept.
const MOST_PAGES: usize = 1024;
const MOST_TABLES: usize = 64;

/// The readers of the tables of a split.
pub struct Tables {
    /// The path of the images' bytes in the schema.
    column: String,
    state: Mutex<TableCache>,
}

/// A page: its table, its row group and its number there.
type PageKey = (usize, usize, usize);
/// A page that is decoded by the first thread that needs it.
type PageSlot = OnceLock<Result<Page, String>>;

#[derive(Default)]
struct TableCache {
    /// Open tables, the last used one at the end.
    tables: VecDeque<(usize, Arc<OpenTable>)>,
    /// The first rows of the pages of each row group that was read.
    starts: HashMap<(usize, usize), Arc<[u64]>>,
    /// Decoded pages, the last used one at the end.
    pages: VecDeque<(PageKey, Arc<PageSlot>)>,
}

struct OpenTable {
    table: Table,
    /// The leaf of the images.
    leaf: usize,
    /// The first row of each row group.
    groups: Vec<u64>,
}

/// The images of a page.
struct Page {
    images: Vec<Option<ByteArray>>,
    bytes: usize,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tables")
            .field("column", &self.column)
            .finish_non_exhaustive()
    }
}

impl Tables {
    /// Creates readers of the images' bytes at the path `column` of the schema.
    pub fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Reads the image of a row of the table at `path`, the `number`-th.
    ///
    /// # Errors
    /// When the table cannot be read, or the row has no image.
    pub fn read(&self, number: usize, path: &Path, row: u64) -> Result<Vec<u8>> {
        let table = self.table(number, path)?;
        let group = table.groups.partition_point(|&first| first <= row) - 1;
        let row = row - table.groups[group];
        let starts = self.starts(number, &table, group)?;
        let page = starts
            .partition_point(|&first| first <= row)
            .checked_sub(1)
            .context("the table is damaged")?;
        let slot = self.slot((number, group, page));
        let decoded = slot.get_or_init(|| {
            let decoded = table.page(group, &starts, page);
            decoded.map_err(|error| crate::error::one_line(&error))
        });
        self.evict();
        let decoded = decoded
            .as_ref()
            .map_err(|error| anyhow!("the table is damaged: {error}"))?;
        match decoded.images.get((row - starts[page]) as usize) {
            Some(Some(image)) => Ok(image.data().to_vec()),
            _ => bail!("the row has no image (null)"),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, TableCache> {
        // No thread panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self, number: usize, path: &Path) -> Result<Arc<OpenTable>> {
        let known =
            |state: &TableCache| state.tables.iter().position(|(known, _)| *known == number);
        if let Some(table) = {
            let mut state = self.state();
            known(&state)
                .and_then(|at| state.tables.remove(at))
                .map(|table| {
                    state.tables.push_back(table.clone());
                    table.1
                })
        } {
            return Ok(table);
        }
        let table = Arc::new(OpenTable::new(path, &self.column)?);
        let mut state = self.state();
        state.tables.push_back((number, Arc::clone(&table)));
        if state.tables.len() > MOST_TABLES {
            state.tables.pop_front();
        }
        Ok(table)
    }

    fn starts(&self, number: usize, table: &OpenTable, group: usize) -> Result<Arc<[u64]>> {
        if let Some(starts) = self.state().starts.get(&(number, group)) {
            return Ok(Arc::clone(starts));
        }
        let starts: Arc<[u64]> = table.page_starts(group)?.into();
        self.state()
            .starts
            .insert((number, group), Arc::clone(&starts));
        Ok(starts)
    }

    fn slot(&self, key: PageKey) -> Arc<PageSlot> {
        let mut state = self.state();
        let known = state.pages.iter().rposition(|(known, _)| *known == key);
        let entry = known
            .and_then(|at| state.pages.remove(at))
            .unwrap_or_else(|| (key, Arc::default()));
        state.pages.push_back(entry.clone());
        entry.1
    }

    /// Drops the pages that were not used for the longest time, so that the others fit into memory.
    fn evict(&self) {
        let mut state = self.state();
        let bytes = |slot: &PageSlot| {
            slot.get()
                .and_then(|page| page.as_ref().ok())
                .map_or(0, |page| page.bytes)
        };
        let mut whole: usize = state.pages.iter().map(|(_, slot)| bytes(slot)).sum();
        while (whole > MOST_BYTES && state.pages.len() > 1) || state.pages.len() > MOST_PAGES {
            if let Some((_, slot)) = state.pages.pop_front() {
                whole -= bytes(&slot);
            }
        }
    }
}

impl OpenTable {
    fn new(path: &Path, column: &str) -> Result<Self> {
        let table = open(path)?;
        let schema = table.metadata().file_metadata().schema_descr();
        let leaf = schema
            .columns()
            .iter()
            .position(|leaf| leaf.path().string() == column);
        let leaf =
            leaf.with_context(|| format!("shard `{}` has no column `{column}`", path.display()))?;
        let (mut groups, mut row) = (Vec::new(), 0);
        for group in table.metadata().row_groups() {
            groups.push(row);
            row += u64::try_from(group.num_rows())?;
        }
        Ok(Self {
            table,
            leaf,
            groups,
        })
    }

    /// Returns the first row of each page of a row group.
    fn page_starts(&self, group: usize) -> Result<Vec<u64>> {
        let group = self.table.get_row_group(group)?;
        let mut pages = group.get_column_page_reader(self.leaf)?;
        let (mut starts, mut row) = (Vec::new(), 0);
        while let Some(page) = pages.peek_next_page()? {
            if !page.is_dict {
                starts.push(row);
                // Without repetition, there is a level per row.
                row += page.num_rows.or(page.num_levels).unwrap_or_default() as u64;
            }
            pages.skip_next_page()?;
        }
        Ok(starts)
    }

    /// Decodes a page.
    fn page(&self, group: usize, starts: &[u64], page: usize) -> Result<Page> {
        let rows = u64::try_from(self.table.metadata().row_group(group).num_rows())?;
        let end = starts.get(page + 1).copied().unwrap_or(rows);
        let schema = self.table.metadata().file_metadata().schema_descr();
        let depth = schema.column(self.leaf).max_def_level();
        let group = self.table.get_row_group(group)?;
        let ColumnReader::ByteArrayColumnReader(mut column) = group.get_column_reader(self.leaf)?
        else {
            bail!("the images are not bytes");
        };
        column.skip_records(starts[page] as usize)?;
        let count = usize::try_from(end.saturating_sub(starts[page]))?;
        let images = read(&mut column, depth, count, |bytes: &ByteArray| {
            Ok(bytes.clone())
        })?;
        let bytes = images.iter().flatten().map(ByteArray::len).sum();
        Ok(Page { images, bytes })
    }
}
