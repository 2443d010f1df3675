//! A target of `tcm_loop`: the machine is its own initiator, and gets device nodes for what it offers itself.
//!
//! Each device is a port of its own with one logical unit: several units on one port would make the kernel raise unit
//! attentions that no library has.

use std::fs;
use std::path::Path;

use crate::error::{Result, failed};
use crate::names::{self, Names};
use crate::undo::Undo;

/// The value that takes a port's initiator away.
const NO_NEXUS: &str = "NULL";

/// Makes the target.
pub(crate) fn make_target(undo: &mut Undo, names: &Names) -> Result<()> {
    undo.make_shared_folder(&names::loopback())?;
    undo.make_folder(&names.target_folder())
}

/// Offers a device by a port of its own. Returns its address as `host:channel:target:lun`; the nodes are there then.
pub(crate) fn offer(undo: &mut Undo, names: &Names, port: usize, device: &Path) -> Result<String> {
    let folder = names.target_folder().join(format!("tpgt_{port}"));
    undo.make_folder(&folder)?;
    // Without an initiator the link finds no device, and cannot be undone cleanly.
    undo.set(&folder.join("nexus"), &names.initiator(), NO_NEXUS)?;
    let unit = folder.join("lun/lun_0");
    undo.make_folder(&unit)?;
    undo.link(&unit.join("link"), device)?;
    let address = folder.join("address");
    let text = fs::read_to_string(&address).map_err(failed("read", &address))?;
    Ok(format!("{}:0", text.trim()))
}

/// Takes over a target that a program left.
pub(crate) fn adopt(undo: &mut Undo, names: &Names) {
    undo.adopt_shared_folder(&names::loopback());
    let target = names.target_folder();
    if !undo.adopt_folder(&target) {
        return;
    }
    for entry in fs::read_dir(&target).into_iter().flatten().flatten() {
        let port = entry.path();
        let is_port = entry.file_name().to_string_lossy().starts_with("tpgt_");
        if is_port && undo.adopt_folder(&port) {
            undo.adopt_value(&port.join("nexus"), NO_NEXUS);
            undo.adopt_folder(&port.join("lun/lun_0"));
            undo.adopt_link(&port.join("lun/lun_0/link"));
        }
    }
}
