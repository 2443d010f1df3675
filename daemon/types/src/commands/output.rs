//! How the answer of a command looks: columns, their renderers and order.
//!
//! Only data: `reelctl` prints from it, so that each listing is told once, beside its command
//! (`cli-manager.md` §2).

/// What a command answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing; success is silence.
    Nothing,
    /// A task, whose log is followed.
    Task,
    /// A list of objects, printed as a table.
    List(&'static Listing),
    /// One object, printed as a table of names and values.
    Object(&'static [Column]),
    /// A list, or one object where one was asked for.
    ListOrObject(&'static Listing, &'static [Column]),
    /// An object whose one property is printed bare.
    Text(&'static str),
    /// The log of a task, followed.
    Log,
    /// A stream of bytes.
    Content,
    /// Versions of client and server.
    Version,
}

impl Answer {
    /// Whether `--output-format` says anything about it.
    pub fn has_formats(self) -> bool {
        !matches!(self, Self::Nothing | Self::Log | Self::Content)
    }
}

/// A table of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// The columns from left to right.
    pub columns: &'static [Column],
    /// The keys that rows are sorted by, the most significant first.
    pub sort_by: &'static [&'static str],
}

/// One column of a table, or one row of a table of names and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The key in JSON.
    pub key: &'static str,
    /// The head; mostly the key.
    pub title: &'static str,
    /// Whether head and cells are flush right: numbers and booleans are.
    pub right: bool,
    /// How a value becomes text.
    pub render: Render,
}

/// How a value becomes text (`cli-manager.md` §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Render {
    /// As it stands.
    Plain,
    /// Seconds since 1970 as local time, the C library's `%c`.
    Epoch,
    /// Bytes with an automatic binary unit.
    Bytes,
    /// A fraction as percents with two decimals.
    Percent,
    /// `yes` for anything, `no` for nothing.
    YesNo,
    /// `ok` or `missing`.
    CatalogState,
    /// The status, or `expired` for media that are but neither damaged nor retired.
    MediaStatus,
    /// `running` without status where there is no end time, `unknown` where there is.
    TaskStatus,
    /// `TYPE/ID/TIME`, made of several keys.
    SnapshotName,
    /// `TYPE/ID`, made of several keys.
    GroupName,
    /// `TYPE/ID/TIME` of a group's newest snapshot, made of several keys.
    LastSnapshot,
    /// Names of files without the server's extension, sorted.
    FileNames,
    /// A list of texts, one a line.
    Lines,
    /// What was seen of a drive or medium, one look a line, newest first; only the last of many.
    HealthHistory,
}

/// A column that is shown as it stands, flush left.
pub const fn text(key: &'static str) -> Column {
    Column { key, title: key, right: false, render: Render::Plain }
}

/// A column of numbers or booleans, flush right.
pub const fn number(key: &'static str) -> Column {
    Column { key, title: key, right: true, render: Render::Plain }
}

/// A column with a renderer, flush left.
pub const fn rendered(key: &'static str, render: Render) -> Column {
    Column { key, title: key, right: false, render }
}

/// A column with a renderer, flush right because the value is a number or a boolean.
pub const fn rendered_right(key: &'static str, render: Render) -> Column {
    Column { key, title: key, right: true, render }
}
