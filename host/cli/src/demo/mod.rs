//! `iog demo`: a whole network on loopback, one question, one merged answer, every receipt verified. The first thing a
//! newcomer runs, so it uses nothing but what the other commands use.

mod generate;
pub mod inputs;
pub mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use iog_gateway::config::GatewayConfig;
use iog_gateway::home::Home;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::Manifest;

use self::inputs::{Format, Input};
use self::world::{CALLER, Newcomer, Seat, World};
use crate::args::DemoArgs;
use crate::ui::{Tone, Ui, grouped, size};
use crate::{runtime, signals};

/// A module that ships with the binary: its component and its manifest.
struct Shipped {
    wasm: &'static [u8],
    manifest: &'static str,
}

const TRACEBACK: Shipped = Shipped {
    wasm: include_bytes!("../../../../modules/prebuilt/ip-traceback.wasm"),
    manifest: include_str!("../../../../modules/ip-traceback/iog.toml"),
};
const TALKERS: Shipped = Shipped {
    wasm: include_bytes!("../../../../modules/prebuilt/top-talkers.wasm"),
    manifest: include_str!("../../../../modules/top-talkers/iog.toml"),
};

pub(crate) fn run(ui: Ui, args: &DemoArgs) -> Result<ExitCode> {
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let dir = match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
            ensure!(dir.read_dir()?.next().is_none(), "`{}` is not empty; the demo starts from nothing", dir.display());
            dir.canonicalize().context("the folder went away")?
        }
        None => temporary.path().to_owned(),
    };
    runtime()?.block_on(play(ui, args, &dir))
}

async fn play(ui: Ui, args: &DemoArgs, dir: &Path) -> Result<ExitCode> {
    let (inputs, target) = inputs_of(ui, args, dir)?;
    let dataset_bytes = inputs.iter().map(|input| std::fs::metadata(&input.file).map_or(0, |file| file.len())).sum();
    ui.line(format!("  {} flow logs, {}", inputs.len(), size(dataset_bytes)));
    let (world, digest) = stage(ui, dir, &inputs).await?;
    let caller = Home::open(&world.home(CALLER))?;

    let _ = (digest, caller, dataset_bytes as u64);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let found = world.link()?.registry().await?; eprintln!("{} entries {:?}", found.size(), found.anomalies());
    world.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn inputs_of(ui: Ui, args: &DemoArgs, dir: &Path) -> Result<(Vec<Input>, String)> {
    ui.title("1  What the providers hold");
    if let Some(folder) = &args.data {
        let target = args.target.clone().context("say with --target which address of your data is under attack")?;
        return Ok((inputs::of_folder(folder)?, target));
    }
    let spinner = ui.spinner("generating flows");
    let inputs = inputs::generated(&dir.join("flows"))?;
    spinner.finish_and_clear();
    ui.line(format!(
        "  {} invented flows: a DNS reflection and a spoofed SYN flood on {} in AS{}, and background",
        ui.paint(Tone::Warn, "generated,"),
        generate::TARGET,
        generate::VICTIM_AS
    ));
    Ok((inputs, args.target.clone().unwrap_or_else(|| generate::TARGET.to_owned())))
}

/// Brings the network up to the point where a question can be asked.
async fn stage(ui: Ui, dir: &Path, inputs: &[Input]) -> Result<(World, Digest)> {
    ui.title("2  A center and its members");
    let mut world = World::found(dir).await?;
    ui.line(format!("  center on https://localhost:{}, genesis signed by an offline root key", world.center_address.port()));
    let seats = enrol_all(ui, &world, inputs).await?;

    ui.title("3  A module is submitted, reviewed and approved");
    let digest = world.publish(TRACEBACK.wasm, TRACEBACK.manifest).await?;
    world.publish(TALKERS.wasm, TALKERS.manifest).await?;
    for (name, organisation, _) in &world.parties.auditors {
        ui.line(format!("  {name} of `{organisation}` approved iog/ip-traceback and iog/top-talkers"));
    }
    ui.line(format!("  {digest}"));

    ui.title("4  Gateways offer it over their own data");
    let bar = ui.bar("gateways", inputs.len() as u64);
    for (seat, input) in seats.into_iter().zip(inputs) {
        let config = gateway_config(&seat, input)?;
        world.start_gateway(seat, config).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    ui.line(format!("  {} gateways replayed the log and recomputed every approval themselves", inputs.len()));
    Ok((world, digest))
}

async fn enrol_all(ui: Ui, world: &World, inputs: &[Input]) -> Result<Vec<Seat>> {
    let bar = ui.bar("enrolling", inputs.len() as u64 + 1);
    let mut seats = Vec::with_capacity(inputs.len());
    for input in inputs {
        let newcomer = Newcomer {
            domain: format!("as{}", input.asn),
            organisation: format!("network-{}", input.asn),
            asn: Some(input.asn),
            provider: true,
        };
        seats.push(world.enrol(&newcomer).await?);
        bar.inc(1);
    }
    let caller = Newcomer {
        domain: CALLER.to_owned(),
        organisation: "response-team".to_owned(),
        asn: None,
        provider: false,
    };
    world.enrol(&caller).await?;
    bar.finish_and_clear();
    let admitted = world.admit_all().await?;
    ui.line(format!("  {} domains enrolled and admitted by root: {}", grouped(admitted as u64), names(inputs)));
    Ok(seats)
}

fn names(inputs: &[Input]) -> String {
    let mut names: Vec<String> = inputs.iter().take(4).map(|input| format!("AS{}", input.asn)).collect();
    if inputs.len() > names.len() {
        names.push(format!("{} more", inputs.len() - names.len()));
    }
    names.join(", ")
}

/// The configuration that the provider would write.
pub fn gateway_config(seat: &Seat, input: &Input) -> Result<GatewayConfig> {
    let (format, timestamp) = match input.format {
        Format::Csv => ("csv", "seconds"),
        Format::Parquet => ("parquet", "micros"),
    };
    let path = serde_json::to_string(&input.file).context("a path that is not UTF-8 cannot be configured")?;
    let text = format!(
        r#"listen = "127.0.0.1:0"
[dataset.border]
schema = "flow/1"
path = {path}
format = "{format}"
timestamp = "{timestamp}"
class = "reviewed"
[service.ip-traceback]
module = "iog/ip-traceback@1.0.0"
bind = {{ flows = "border" }}
[service.ip-traceback.allow]
callers = ["members"]
[service.ip-traceback.coverage]
asns = [{asn}]
[service.top-talkers]
module = "iog/top-talkers@1.0.0"
bind = {{ flows = "border" }}
[service.top-talkers.allow]
callers = ["members"]
[service.top-talkers.coverage]
asns = [{asn}]
"#,
        asn = input.asn
    );
    let file = seat.home.root().join("gateway.toml");
    std::fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    GatewayConfig::load(&file).context("the demo's gateway configuration is refused")
}
