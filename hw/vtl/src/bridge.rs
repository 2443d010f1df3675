//! A library behind the kernel: brought up, and taken down again.

use std::path::{Path, PathBuf};
use std::process::Command;

use reel_emu::{Device, EmulatedLibrary};

use crate::backing::{self, Served};
use crate::error::{Error, Result};
use crate::names::{self, Names};
use crate::undo::Undo;
use crate::unit::EmulatedUnit;
use crate::{leftovers, loopback, nodes};

/// A device that programs can use.
#[derive(Debug)]
pub(crate) struct Offered {
    device: Device,
    serial: String,
    nodes: Vec<PathBuf>,
}

/// A library behind the kernel. Dropping it takes it down.
pub(crate) struct Bridge {
    undo: Undo,
    served: Vec<Served>,
    /// Its devices, the changer first.
    pub(crate) devices: Vec<Offered>,
}

impl Bridge {
    /// Brings a library up.
    pub(crate) fn up(library: &EmulatedLibrary) -> Result<Self> {
        let devices = library.devices();
        let names = Names::new(devices.first().map_or("", |(_, serial)| serial));
        load_modules()?;
        leftovers::clear(&names)?;
        let mut bridge = Self { undo: Undo::default(), served: Vec::new(), devices: Vec::new() };
        bridge.undo.make_shared_folder(&names::adapter())?;
        let folders = devices.iter().map(|device| bridge.back(library, &names, device));
        let folders = folders.collect::<Result<Vec<_>>>()?;
        loopback::make_target(&mut bridge.undo, &names)?;
        for (port, ((device, serial), folder)) in devices.into_iter().zip(folders).enumerate() {
            let address = loopback::offer(&mut bridge.undo, &names, port, &folder)?;
            let nodes = nodes::of(device, &address)?;
            bridge.devices.push(Offered { device, serial, nodes });
        }
        Ok(bridge)
    }

    /// Makes a device and has it served: as soon as it is offered, the kernel asks who it is.
    fn back(
        &mut self,
        library: &EmulatedLibrary,
        names: &Names,
        (device, serial): &(Device, String),
    ) -> Result<PathBuf> {
        let name = names.device(*device);
        let folder = backing::make(&mut self.undo, &name, serial)?;
        let served = Served::start(&name, EmulatedUnit::new(library, *device))?;
        self.served.push(served.ok_or(Error::NoUio(name))?);
        Ok(folder)
    }

    /// Takes it down.
    ///
    /// # Errors
    /// What could not be undone, or else why a device was not served to the end.
    pub(crate) fn down(mut self) -> Result<()> {
        // A thread whose device could not be removed never ends, so it is not waited for.
        self.undo.undo()?;
        self.served.into_iter().map(Served::join).fold(Ok(()), Result::and)
    }
}

impl Offered {
    /// Kind, serial number and nodes.
    pub(crate) fn line(&self) -> String {
        let kind = match self.device {
            Device::Changer => "changer",
            Device::Drive(_) => "drive",
        };
        let nodes = self.nodes.iter().map(|node| format!(" {}", node.display()));
        format!("{kind} {}{}\n", self.serial, nodes.collect::<String>())
    }
}

/// Loads what the kernel needs. The drivers of the initiator's side may be built in or load by themselves.
fn load_modules() -> Result<()> {
    modprobe(&["target_core_user", "tcm_loop"]).map_err(Error::Modules)?;
    let _ = modprobe(&["sg", "st", "ch"]);
    let targets = Path::new(names::TARGETS);
    if targets.is_dir() { Ok(()) } else { Err(Error::NoConfigfs(targets.to_path_buf())) }
}

fn modprobe(modules: &[&str]) -> Result<(), String> {
    let output = Command::new("modprobe").arg("-a").args(modules).output();
    let output = output.map_err(|error| format!("modprobe: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}
