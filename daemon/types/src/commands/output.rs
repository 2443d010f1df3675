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
    /// A task whose log is what was asked for: printed without the line that ends it.
    Report,
    /// What a device answered, as PBS's `pmt` and `pmtx` print it.
    Device(&'static DeviceAnswer),
    /// A list of objects, printed as a table.
    List(&'static Listing),
    /// One object, printed as a table of names and values.
    Object(&'static [Column]),
    /// A list, or one object where one was asked for.
    ListOrObject(&'static Listing, &'static [Column]),
    /// An object whose one property is printed bare.
    Text(&'static str),
    /// An object whose one property is printed as a JSON string.
    Quoted(&'static str),
    /// An object whose one property is printed as it stands.
    Document(&'static str),
    /// An object that is shown once, `Result: ` and indented JSON in any format.
    Result,
    /// For each path the privileges on it.
    Permissions,
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
        !matches!(
            self,
            Self::Nothing
                | Self::Quoted(_)
                | Self::Document(_)
                | Self::Result
                | Self::Report
                | Self::Log
                | Self::Content
        )
    }
}

/// The answer of a device. A question has a result, `{"Ok": …}` or `{"Err": "…"}`, which JSON formats print as it is; a
/// list of devices is the list alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceAnswer {
    /// How it becomes text.
    pub text: DeviceText,
    /// The order of keys in JSON; what is not among them comes last.
    pub keys: &'static [&'static str],
}

/// How the answer of a device becomes text (`cli-tape.md` §§11, 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceText {
    /// As indented JSON.
    Json,
    /// `Tape Alert Flags: …`.
    Alerts,
    /// `id|name|value`, an attribute a line.
    Memory,
    /// `path (vendor/model/serial)`, a device a line.
    Devices,
    /// What a device says that it is, a property a line.
    Inquiry,
    /// Robots, drives and slots of a changer, one a line.
    Elements,
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
    /// Media that a backup would write, one a line.
    PlannedMedia,
    /// Media that it would not, with the reason, one a line.
    UnusedMedia,
    /// Media and when they may be written over, one a line.
    Expiry,
    /// Filters joined by `OR`; `all` for none.
    GroupFilter,
    /// Yes where nothing is said.
    DefaultTrue,
    /// Seconds since 1970 as local time; `never` for 0 and for nothing.
    Expire,
    /// A user or token; a group with `@` before it.
    Grantee,
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
