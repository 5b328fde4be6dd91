//! `iog demo`: a whole network on loopback, one question, one merged answer, every receipt verified. The first thing a
//! newcomer runs, so it uses only what the other commands use.

pub mod inputs;
mod report;
pub mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use iog_caller::verify::verify_with;
use iog_caller::{CallReport, CallSpec, Caller, MergeLimits, Quiet, Whom, call};
use iog_gateway::config::GatewayConfig;
use iog_home::{Home, connect};
use iog_machine::Machine;
use iog_module::Source;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::Manifest;
use serde_json::json;

use self::inputs::{Format, Input};
use self::report::Finished;
use self::world::{CALLER, Newcomer, Seat, World};
use crate::args::DemoArgs;
use crate::ui::{Text, Tone, Ui, grouped, size};
use crate::{runtime, signals};

/// Ships with the binary, as does the next.
const TRACEBACK: Source<'static> = Source {
    wasm: include_bytes!("../../../../modules/prebuilt/ip-traceback.wasm"),
    manifest: include_str!("../../../../modules/ip-traceback/iog.toml"),
};
const TALKERS: Source<'static> = Source {
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
    runtime::start()?.block_on(play(ui, args, &dir))
}

async fn play(ui: Ui, args: &DemoArgs, dir: &Path) -> Result<ExitCode> {
    let (inputs, target) = inputs_of(ui, args, dir)?;
    let dataset_bytes: u64 =
        inputs.iter().map(|input| std::fs::metadata(&input.file).map_or(0, |file| file.len())).sum();
    ui.line(format!("  {} flow logs, {}", inputs.len(), size(dataset_bytes)));
    let (world, digest) = stage(ui, dir, &inputs).await?;
    let caller = Home::open(&world.home(CALLER))?;

    ui.title("5  One question to every provider");
    ui.line(format!("  iog call ip-traceback --all --param target={target}"));
    let spinner = ui.spinner("asking");
    let report = ask(&world, &caller, &target).await?;
    spinner.end();
    ui.words(format!(
        "{} of {} domains answered; merged in the caller's own sandbox with nothing granted",
        report.answered(),
        report.parts.len()
    ));
    let receipts_ok = verify(&caller, &report)?;

    let manifest = Manifest::parse(TRACEBACK.manifest).context("the shipped manifest is refused")?;
    let finished = Finished {
        domains: inputs.len(),
        module: (&manifest.module.name, &manifest.module.version, digest),
        log_size: world.link()?.registry().await?.size(),
        call: &report,
        receipts_ok: &receipts_ok,
        dataset_bytes,
        generated: args.data.is_none(),
    };
    finished.print(ui)?;
    ui.object(&finished.object()?);
    if args.serve {
        hold(ui, &world, &target).await;
    }
    world.close().await?;
    let all_hold = receipts_ok.iter().all(|ok| *ok) && report.answered() == report.parts.len();
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks every provider of the catalog, as `iog call ip-traceback --all` does.
async fn ask(world: &World, home: &Home, target: &str) -> Result<CallReport> {
    let caller = Caller { home, machine: &world.machine, sandbox: &world.sandbox };
    let spec = CallSpec {
        what: "ip-traceback".parse().map_err(anyhow::Error::msg)?,
        entry: None,
        params: json!({"target": target}),
        purpose: "demonstration".to_owned(),
        whom: Whom::Relevant { asn: None },
        deadline: Duration::from_secs(60),
        parallel_max: 32,
        merge: true,
        merge_limits: MergeLimits::default(),
    };
    call(caller, &spec, &Quiet).await.context("the question could not be asked")
}

/// For each part: whether its stored receipt holds, checked again from files and the pinned genesis alone.
fn verify(caller: &Home, report: &CallReport) -> Result<Vec<bool>> {
    let replica = connect::replica(caller).context("the caller's copy of the log does not hold")?;
    let registry = replica.registry().context("the caller holds no copy of the log")?;
    let holds = |file: &std::path::PathBuf| match verify_with(caller, &registry, file) {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "a receipt does not hold");
            false
        }
    };
    Ok(report.parts.iter().map(|part| part.bundle.as_ref().is_some_and(holds)).collect())
}

/// Keeps everything running until interrupted, and says what to try.
async fn hold(ui: Ui, world: &World, target: &str) {
    let home = world.home(CALLER);
    let (home, network) = (home.display(), world.network_file.display());
    ui.title("Everything keeps running; try in another terminal");
    for command in [
        format!("iog catalog search --home {home}"),
        format!("iog call ip-traceback --all --param target={target} --home {home}"),
        format!("iog call top-talkers --all --param side=source --param measure=bytes --home {home}"),
        format!("iog receipt verify --home {home}"),
        format!("iog module show --network {network}"),
        format!("iog review show iog/ip-traceback --network {network}"),
    ] {
        ui.line(format!("  {command}"));
    }
    ui.gap();
    ui.line("Ctrl-C ends it");
    signals::interrupted().await;
}

fn inputs_of(ui: Ui, args: &DemoArgs, dir: &Path) -> Result<(Vec<Input>, String)> {
    ui.title("1  What the providers hold");
    if let Some(folder) = &args.data {
        let target = args.target.clone().context("say with --target which address of your data is under attack")?;
        return Ok((inputs::of_folder(folder)?, target));
    }
    let spinner = ui.spinner("generating flows");
    let inputs = inputs::generated(&dir.join("flows"))?;
    spinner.end();
    let invented = format!(
        " invented flows: a DNS reflection and a spoofed SYN flood on {} in AS{}, and background",
        iog_synth::TARGET,
        iog_synth::VICTIM_AS
    );
    ui.words(Text::toned(Tone::Warn, "generated,").then(invented));
    Ok((inputs, args.target.clone().unwrap_or_else(|| iog_synth::TARGET.to_owned())))
}

/// Brings the network up to the point where a question can be asked.
async fn stage(ui: Ui, dir: &Path, inputs: &[Input]) -> Result<(World, Digest)> {
    ui.title("2  A center and its members");
    let mut world = World::found(dir, Machine::default()).await?;
    ui.words(format!(
        "center on https://localhost:{}, genesis signed by an offline root key",
        world.center_address.port()
    ));
    let seats = enroll_all(ui, &world, inputs).await?;

    ui.title("3  A module is submitted, reviewed and approved");
    let digest = world.publish(TRACEBACK.wasm, TRACEBACK.manifest).await?;
    world.publish(TALKERS.wasm, TALKERS.manifest).await?;
    for (name, organisation, _) in &world.parties.auditors {
        ui.words(format!("{name} of `{organisation}` approved iog/ip-traceback and iog/top-talkers"));
    }
    ui.line(format!("  {digest}"));

    ui.title("4  Gateways offer it over their own data");
    let bar = ui.bar("gateways", inputs.len() as u64);
    for (seat, input) in seats.into_iter().zip(inputs) {
        let config = gateway_config(&seat, input)?;
        world.start_gateway(seat, config).await?;
        bar.step();
    }
    bar.end();
    ui.words(format!("{} gateways replayed the log and recomputed every approval themselves", inputs.len()));
    Ok((world, digest))
}

async fn enroll_all(ui: Ui, world: &World, inputs: &[Input]) -> Result<Vec<Seat>> {
    let bar = ui.bar("enrolling", inputs.len() as u64 + 1);
    let mut seats = Vec::with_capacity(inputs.len());
    for input in inputs {
        let newcomer = Newcomer {
            domain: format!("as{}", input.asn),
            organisation: format!("network-{}", input.asn),
            asn: Some(input.asn),
            provider: true,
        };
        seats.push(world.enroll(&newcomer).await?);
        bar.step();
    }
    let caller =
        Newcomer { domain: CALLER.to_owned(), organisation: "response-team".to_owned(), asn: None, provider: false };
    world.enroll(&caller).await?;
    bar.end();
    let admitted = world.admit_all().await?;
    ui.words(format!("{} domains enrolled and admitted by root: {}", grouped(admitted as u64), names(inputs)));
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
