// SPDX-License-Identifier: Apache-2.0
// Asks /api/v1/status (docs/api.md) again and again and shows it. Unknown is null there and "unknown" here.
"use strict";

const PATIENCE_MS = 10000;
const LONGEST_WAIT_SECONDS = 60;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const STATE_STYLES = { "present finding": "bad", present: "doubt", absent: "good" };
const view = { status: null, text: "", failures: 0, answeredAt: null, paused: false, timer: 0, headline: "" };

const byId = (id) => document.getElementById(id);
const known = (value) => value !== null && value !== undefined;
const sum = (rows, of) => rows.reduce((total, row) => total + (of(row) ?? 0), 0);
const count = (number, one, many = one + "s") => `${number} ${number === 1 ? one : many}`;

function bytes(value) {
  if (!known(value)) return "unknown";
  let unit = 0;
  let scaled = Math.abs(value);
  while (scaled >= 1024 && unit + 1 < UNITS.length) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 100 ? 0 : 1;
  return `${value < 0 ? "−" : ""}${scaled.toFixed(digits)} ${UNITS[unit]}`;
}

function duration(seconds) {
  if (!known(seconds)) return "unknown";
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function share(value, digits = 1) {
  return known(value) ? `${(value * 100).toFixed(digits)} %` : "unknown";
}

function moment(text) {
  const time = known(text) ? new Date(text) : null;
  return time === null || Number.isNaN(time.getTime()) ? "unknown" : time.toLocaleString();
}

function element(name, attributes = {}, text = "") {
  const space = name === "svg" || name === "rect" ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== "") made.textContent = text;
  return made;
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// Rows keep their place in the document as long as their key stays, so that reading and selecting go on.
function fillRows(body, rows) {
  const there = new Map([...body.children].map((row) => [row.dataset.key, row]));
  rows.forEach((row, index) => {
    let line = there.get(row.key);
    if (line === undefined) {
      line = element("tr", { "data-key": row.key });
      row.cells.forEach((cell, column) => line.append(element(column === 0 ? "th" : "td", column === 0 ? { scope: "row" } : {})));
    }
    there.delete(row.key);
    row.cells.forEach((cell, column) => fillCell(line.children[column], cell));
    if (body.children[index] !== line) body.insertBefore(line, body.children[index] ?? null);
  });
  for (const left of there.values()) left.remove();
}

function fillCell(target, cell) {
  const wanted = typeof cell === "string" ? { text: cell } : cell;
  if (target.className !== (wanted.class ?? "")) target.className = wanted.class ?? "";
  if (wanted.draw === undefined) {
    setText(target, wanted.text);
  } else if (target.dataset.drawn !== wanted.drawn) {
    target.dataset.drawn = wanted.drawn;
    target.replaceChildren(wanted.draw());
  }
}

function fillList(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value, style]) => {
    const group = element("div");
    group.append(element("dt", {}, name), element("dd", style ? { class: style } : {}, value));
    return group;
  }));
}

// What the group's Rss lacks (above 0) or has too much (below 0), as far as it is sure; null: not known.
function errorOf(group) {
  if (!known(group.reported_rss_bytes) || !known(group.true_rss_low_bytes) || !known(group.true_rss_high_bytes)) return null;
  if (group.reported_rss_bytes < group.true_rss_low_bytes) return group.true_rss_low_bytes - group.reported_rss_bytes;
  if (group.reported_rss_bytes > group.true_rss_high_bytes) return group.true_rss_high_bytes - group.reported_rss_bytes;
  return 0;
}

// An error inside a group counts only with a finding: sums race with processes that come and go.
function lies(group) {
  return (group.findings ?? 0) > 0;
}

function trueText(group) {
  const low = bytes(group.true_rss_low_bytes);
  const high = bytes(group.true_rss_high_bytes);
  return low === high ? low : `${low} – ${high}`;
}

function bar(group, widest) {
  const reported = group.reported_rss_bytes ?? 0;
  const low = group.true_rss_low_bytes ?? reported;
  const high = group.true_rss_high_bytes ?? reported;
  const picture = element("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  const part = (from, to, kind, least = 0) => {
    const start = (from / widest) * 1000;
    const width = Math.max((to / widest) * 1000 - start, to > from ? least : 0);
    if (width > 0) picture.append(element("rect", { class: kind, x: start.toFixed(2), y: "0", width: width.toFixed(2), height: "10" }));
  };
  picture.append(element("rect", { class: "track", x: "0", y: "4.5", width: "1000", height: "1" }));
  part(0, Math.min(reported, high), "reported", 2);
  part(Math.max(reported, low), high, "unsure", 2);
  if (lies(group)) {
    part(reported, low, "missing", 3);
    part(high, reported, "excess", 3);
  }
  return picture;
}

const ORDERS = {
  error: (a, b) => (lies(b) ? Math.abs(errorOf(b) ?? 0) + 1 : 0) - (lies(a) ? Math.abs(errorOf(a) ?? 0) + 1 : 0) || ORDERS.size(a, b),
  size: (a, b) => (b.reported_rss_bytes ?? -1) - (a.reported_rss_bytes ?? -1) || ORDERS.name(a, b),
  name: (a, b) => a.name.localeCompare(b.name),
  age: (a, b) => (b.oldest_verdict_seconds ?? Infinity) - (a.oldest_verdict_seconds ?? Infinity) || ORDERS.size(a, b),
};

function showGroups(status) {
  const wanted = byId("filter").value.trim().toLowerCase();
  const order = ORDERS[byId("order").value] ?? ORDERS.error;
  const shown = status.groups.filter((group) => group.name.toLowerCase().includes(wanted)).sort(order);
  const widest = Math.max(1, ...status.groups.map((group) => Math.max(group.reported_rss_bytes ?? 0, group.true_rss_high_bytes ?? 0)));
  fillRows(byId("group-rows"), shown.map((group) => {
    const error = errorOf(group);
    const wrong = lies(group) && known(error) && error !== 0;
    const words = error > 0 ? `${bytes(error)} missing` : `${bytes(-error)} too much`;
    return { key: group.name, cells: [
      group.name,
      { class: "number", text: known(group.processes) ? String(group.processes) : "unknown" },
      { class: "number", text: bytes(group.reported_rss_bytes) },
      { class: "number", text: trueText(group) },
      { class: "bar", draw: () => bar(group, widest),
        drawn: [group.reported_rss_bytes, group.true_rss_low_bytes, group.true_rss_high_bytes, widest, lies(group)].join() },
      { class: wrong ? "number bad" : "number", text: wrong ? words : !known(error) ? "unknown" : error === 0 ? "none" : "not confirmed" },
      { class: lies(group) ? "number bad" : "number", text: String(group.findings ?? "unknown") },
      { class: "number", text: duration(group.oldest_verdict_seconds) },
    ] };
  }));
  byId("no-groups").hidden = status.groups.length > 0;
  setText(byId("shown"), wanted === "" ? "" : `${shown.length} of ${count(status.groups.length, "group")}`);
}

function showFindings(status) {
  fillRows(byId("finding-rows"), status.findings.map((finding, index) => ({
    key: [finding.group, finding.check, finding.field, finding.interface, finding.pid ?? "", finding.defect ?? "", index].join("\n"),
    cells: [
      finding.group,
      `${finding.field} in ${finding.interface} is too ${finding.direction === "deficit" ? "low" : "high"}` +
        (known(finding.pid) ? ` for ${finding.comm ?? "?"} (${finding.pid})` : ""),
      finding.check,
      finding.defect ?? "not a known one",
      { class: "number", text: String(finding.processes ?? 1) },
      { class: "number bad", text: bytes(finding.error_bytes) },
      { class: "time", text: moment(finding.first_seen) },
      { class: "time", text: moment(finding.last_seen) },
    ],
  })));
  byId("no-findings").hidden = status.findings.length > 0;
  byId("findings-table").hidden = status.findings.length === 0;
}

function verdictOf(status) {
  const open = status.findings;
  const groups = new Set(open.map((finding) => finding.group));
  const processes = status.totals.processes_with_finding;
  const defects = status.kernel.defects.filter((defect) => defect.class === "finding");
  const named = defects.map((defect) => `${defect.id}: ${defect.title}`);
  if (open.length > 0) {
    const much = status.totals.rss_deficit_bytes ?? 0;
    const whom = (known(processes) ? count(processes, "process", "processes") + " in " : "") + count(groups.size, "group");
    return { style: "lies", title: "Yes: this kernel misreports memory",
             text: much > 0 ? `${bytes(much)} are missing from the Rss of ${whom}.` : `Numbers of ${whom} are wrong.`, reasons: named };
  }
  if (defects.length > 0) {
    return { style: "doubt", title: "This kernel has a known defect", text: "No process shows it at the moment.", reasons: named };
  }
  const judged = (status.totals.consistent ?? 0) + (status.totals.finding ?? 0);
  if (judged === 0) {
    return { style: "", title: "Not known yet", text: "No process has been audited in full so far.", reasons: [] };
  }
  return { style: "fine", title: "No lie found",
           text: `The witnesses agree about ${count(judged, "process", "processes")}; ` +
             `${share(status.coverage.conclusive_ratio)} of the targets could be judged.`, reasons: [] };
}

function showVerdict(status) {
  const verdict = verdictOf(status);
  byId("verdict").className = `verdict ${verdict.style}`;
  setText(byId("headline"), verdict.title);
  setText(byId("explanation"), verdict.text);
  byId("reasons").replaceChildren(...verdict.reasons.map((text) => element("li", {}, text)));
  document.title = `${verdict.title} – smaps-auditd`;
  if (view.headline !== verdict.title) setText(byId("announcement"), verdict.title);
  view.headline = verdict.title;
}

function showNotices(status) {
  const notices = [...(status.state.degraded ?? [])];
  if (!status.state.reading) notices.unshift(`Nothing is read at the moment: ${status.state.paused_reason ?? "paused"}.`);
  if (known(status.state.config_error)) notices.push(`The new configuration is not in use: ${status.state.config_error}`);
  byId("notices").replaceChildren(...notices.map((text) => element("p", { class: "notice" }, text)));
}

function showFigures(status) {
  const missing = status.totals.rss_deficit_bytes;
  const affected = status.totals.processes_with_finding;
  fillList(byId("figures"), [
    ["missing from Rss", bytes(missing), missing > 0 ? "bad" : ""],
    ["processes affected", known(affected) ? String(affected) : "unknown", affected > 0 ? "bad" : ""],
    ["of targets judged", share(status.coverage.conclusive_ratio)],
    ["oldest verdict", duration(status.coverage.oldest_verdict_seconds)],
    ["of one core, to audit", share(status.cost.cpu_ratio, 2)],
    ["memory of the auditor", bytes(status.cost.rss_bytes)],
  ]);
}

function showFacts(status) {
  const number = (value) => (known(value) ? String(value) : "unknown");
  const totals = status.totals;
  const coverage = status.coverage;
  const cost = status.cost;
  fillList(byId("coverage-facts"), [
    ["processes", number(totals.processes)], ["consistent", number(totals.consistent)], ["with a finding", number(totals.finding)],
    ["inconclusive", number(totals.inconclusive)], ["denied", number(totals.denied)], ["skipped", number(totals.skipped)],
    ["not audited yet", number(totals.pending)], ["kernel threads", number(totals.kernel_threads)],
    ["last sweep ended", known(coverage.last_sweep_age_seconds) ? `${duration(coverage.last_sweep_age_seconds)} before` : "unknown"],
    ["a full rotation", duration(coverage.rotation_seconds)], ["sweeps", number(coverage.sweeps)],
    ["overruns", number(coverage.overruns)], ["in quarantine", number(coverage.quarantined)],
    ["beyond the stall budget", number(coverage.beyond_stall_budget)],
    ...Object.entries(coverage.inconclusive_reasons ?? {}).map(([reason, times]) => [`inconclusive: ${reason}`, String(times)]),
  ]);
  fillList(byId("cost-facts"), [
    ["CPU, of one core", share(cost.cpu_ratio, 2)], ["its budget", share(cost.cpu_budget_ratio, 2)],
    ["CPU time so far", duration(cost.cpu_seconds)], ["memory", bytes(cost.rss_bytes)],
    ["longest read", duration(cost.longest_read_seconds)],
    ["worst predicted stall of a target", duration(cost.worst_predicted_stall_seconds)],
    ["its budget", duration(cost.stall_budget_seconds)], ["workers restarted", number(cost.worker_restarts)],
    ["findings stored", number(status.store.findings)], ["captures stored", number(status.store.captures)],
    ["on disk", bytes(status.store.bytes)], ["store", status.store.healthy ? "healthy" : status.store.problem ?? "not healthy"],
  ]);
}

function showCard(status) {
  const card = status.card;
  byId("card-table").hidden = !known(card);
  if (!known(card)) {
    setText(byId("card-origin"), "No probe has run since this kernel was booted: smaps-audit probe --all makes the card.");
    return;
  }
  setText(byId("card-origin"), `Probed ${moment(card.taken)} on ${card.kernel_release}.`);
  fillRows(byId("card-rows"), card.defects.map((defect) => ({ key: defect.id, cells: [
    defect.id, defect.title ?? "",
    { class: STATE_STYLES[`${defect.state} ${defect.class}`] ?? STATE_STYLES[defect.state] ?? "", text: defect.state },
    defect.reason ?? "",
  ] })));
}

function show(status) {
  setText(byId("host"), `Linux ${status.kernel.release ?? "of unknown release"} · ${status.tool.version ?? ""}`);
  showVerdict(status);
  showNotices(status);
  showFigures(status);
  showGroups(status);
  showFindings(status);
  showFacts(status);
  showCard(status);
  for (const id of ["verdict", "figures", "groups", "findings", "coverage", "cost", "card", "pause"]) byId(id).hidden = false;
}

function showConnection(problem) {
  const notice = byId("connection");
  notice.hidden = problem === "";
  setText(notice, problem === "" ? "" : `${problem} ${view.answeredAt === null ? "" : `What stands below is of ${view.answeredAt.toLocaleTimeString()}.`}`.trim());
  if (view.answeredAt !== null) setText(byId("updated"), `Updated ${view.answeredAt.toLocaleTimeString()}`);
}

async function update() {
  clearTimeout(view.timer);
  try {
    const answer = await fetch("/api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`The service answers ${answer.status}.`);
    const text = await answer.text();
    if (text !== view.text) {
      const status = JSON.parse(text);
      show(status);
      view.status = status;
      view.text = text;
    }
    view.failures = 0;
    view.answeredAt = new Date();
    showConnection("");
  } catch (error) {
    view.failures += 1;
    showConnection(error.message.startsWith("The service") ? error.message : "The service does not answer.");
  }
  const pace = view.status?.refresh_seconds ?? 5;
  const wait = Math.min(pace * 2 ** view.failures, Math.max(LONGEST_WAIT_SECONDS, pace));
  if (!view.paused && !document.hidden) view.timer = setTimeout(update, wait * 1000);
}

byId("filter").addEventListener("input", () => view.status && showGroups(view.status));
byId("order").addEventListener("change", () => view.status && showGroups(view.status));
byId("pause").addEventListener("click", () => {
  view.paused = !view.paused;
  byId("pause").setAttribute("aria-pressed", String(view.paused));
  clearTimeout(view.timer);
  if (!view.paused) update();
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(view.timer);
  if (!document.hidden && !view.paused) update();
});
update();
