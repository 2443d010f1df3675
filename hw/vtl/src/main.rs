//! Puts an emulated LTO library behind the kernel, so that it becomes `/dev/nst*`, `/dev/sg*` and `/dev/sch*` for any
//! program.
//!
//! `target_core_user` hands the commands of a device to a program, and `tcm_loop` makes the machine its own initiator
//! for it. So there are three layers: a library in a folder (`reel-emu`), a ring for each device by which commands
//! come and answers go ([`ring`], [`entry`], [`serving`]), and the kernel's configuration, which is made on the way
//! up and undone in reverse on the way down ([`undo`], [`backing`], [`loopback`], [`bridge`]).
//!
//! | module | is |
//! | --- | --- |
//! | [`args`], [`create`], [`serve`] | the command line and what it does |
//! | [`bridge`] | a library behind the kernel |
//! | [`leftovers`] | what a program that was killed has left |
//! | [`backing`], [`loopback`] | both halves of the kernel's configuration |
//! | [`undo`] | changes to it that know how to be undone |
//! | [`names`], [`inventory`], [`nodes`] | how devices are called here, by themselves and under `/dev` |
//! | [`serving`], [`unit`] | the thread of a device, and who answers |
//! | [`uio`], [`ring`], [`entry`], [`cdb`] | the way to the kernel, from the file to the bytes |

mod args;
mod backing;
mod bridge;
mod cdb;
mod create;
mod entry;
mod error;
mod leftovers;
mod loopback;
mod names;
mod nodes;
mod ring;
mod serve;
mod serving;
mod uio;
mod undo;
mod unit;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Task};

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Create(wanted) => create::create(&wanted),
        Task::Serve(wanted) => serve::serve(&wanted.folder, wanted.ready_file.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reel-vtl: {error}");
            ExitCode::FAILURE
        }
    }
}
