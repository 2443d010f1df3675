//! What a program that was killed has left in the kernel: taken down, after commands that still wait were told that
//! the device was switched off. None of them is carried out: nobody knows which of them already were.

use std::fs;

use crate::backing::Served;
use crate::error::Result;
use crate::loopback;
use crate::names::{self, Names};
use crate::undo::Undo;
use crate::unit::LostUnit;

/// Takes down what is left of a library. Nobody else may be serving it: its folder is locked.
pub(crate) fn clear(names: &Names) -> Result<()> {
    let mut undo = Undo::default();
    let mut served = Vec::new();
    if undo.adopt_shared_folder(&names::adapter()) {
        for name in devices(names) {
            undo.adopt_folder(&names::adapter().join(&name));
            served.extend(Served::start(&name, LostUnit)?);
        }
    }
    loopback::adopt(&mut undo, names);
    undo.undo()?;
    served.into_iter().try_for_each(Served::join)
}

fn devices(names: &Names) -> Vec<String> {
    let entries = fs::read_dir(names::adapter()).into_iter().flatten().flatten();
    let found = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    found.filter(|name| name.starts_with(&names.prefix())).collect()
}
