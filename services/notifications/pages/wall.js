// The wall screen: a snapshot of the alerts and its position, then the live stream. No library, no build step.
const DONE = { acknowledged: "tiếp nhận", dispatched: "điều lực lượng", on_scene: "đến nơi", stood_down: "kết thúc" };
const STATUS = ["raised", ...Object.keys(DONE)], DOOR = ["", "acknowledge", "dispatch", "on-scene"]; // same indices
const SEVERITY = ["", "Nguy cấp", "Khẩn", "Chú ý", "Ghi nhận"], FIRE = /^(forest_)?fire$/, SENDING = "Đang gửi…";
const KEYS = { KeyA: 1, KeyD: 2, KeyS: 3 }, MOVES = { ArrowDown: 1, KeyJ: 1, ArrowUp: -1, KeyK: -1 };
// Seconds of a stroke, and the loop in strokes and pauses. Fire: ISO 8201; 1: the village gong's "come at once".
const SOUNDS = { fire: [0.5, "10101000"], 1: [0.1, "10"], 2: [0.4, "1010000"], 3: [0.8, "10000000"] };
const TIME = new Intl.DateTimeFormat("vi-VN", { timeZone: "Asia/Ho_Chi_Minh", timeStyle: "medium" });
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, REDEEM = "/v1/login-codes/redeem", audio = new AudioContext();
const STORED = "vong-gac-token"; // in localStorage: a television that restarts at night goes on by itself
let token = localStorage.getItem(STORED), names = new Map(), alerts = new Map(), rows = [], selected, actedAt = 0;
let link = new AbortController(), wake, position = null, heardAt = 0, brokenAt = 0, triedAt = 0, waitMs = 500;
let soundsHere = !navigator.locks, mutedUntil = 0, source, touchedAt = 0;
const $ = (id) => document.getElementById(id), tick = { aheadMs: 0, notices: [] }; // tick: what the server said last
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; node.hidden = !text; };
const ms = Date.parse, now = () => Date.now() + tick.aheadMs; // every clock here counts by the server's time
const clock = (instant) => TIME.format(new Date(instant)), nameOf = (code) => names.get(code) ?? code;
const waits = (alert) => alert.status === "raised", rank = (alert) => STATUS.indexOf(alert.status);
const startOfDay = () => new Date(Math.floor((now() + 7 * HOUR_MS) / DAY_MS) * DAY_MS - 7 * HOUR_MS).toISOString();
const hearTick = ({ items, ...told }) => Object.assign(tick, told, { aheadMs: ms(told.server_time) - Date.now() });
const reconnect = () => { link.abort(); wake?.(); };
const mute = () => { mutedUntil = mutedUntil > Date.now() ? 0 : Date.now() + 60_000; paint(); };
const touched = () => { touchedAt = Date.now(); audio.resume(); }; // sound starts with a key or a click only
const select = (id) => { selected = id; paint(); $(id)?.scrollIntoView({ block: "nearest" }); };
// Whom a step's key acts on: the selected alert; A also the first that waits, but not when it is pressed twice.
const target = (step) => rows.find((alert) => alert.id === selected && rank(alert) < step)
  ?? (step === 1 && Date.now() - actedAt > 3000 ? rows.find(waits) : undefined);
const progress = (alert) => Object.entries(DONE).filter(([status]) => alert[`${status}_at`])
  .map(([status, done]) => `${alert[`${status}_by`] ?? ""} ${done} ${clock(alert[`${status}_at`])}`).join(" · ");
const elapsed = (spanMs) => spanMs > DAY_MS ? `${Math.floor(spanMs / DAY_MS)} ngày`
  : new Date(Math.max(0, spanMs)).toISOString().slice(spanMs < HOUR_MS ? 14 : 11, 19);
const sounds = (alert) => alert.severity < 4 && rank(alert) < 4 && alert.rang_at > (alert.acknowledged_at ?? "")
  && ((waits(alert) && !alert.late) || now() - alert.heardAt < (alert.rings > 1 ? 30_000 : 6000));
// Severity, then who still waits, then the newest ring; the alerts of one incident stay together.
const order = (a) => `${a.severity}${waits(a) ? 0 : 1}${1e14 - ms(a.rang_at)}${a.incident_id}${a.unit.code}`;
const byOrder = (a, b) => (a.order < b.order ? -1 : 1);
const state = (since = clock((heardAt || brokenAt) + tick.aheadMs)) => !token ? ["signed-out", "○ Chưa đăng nhập"]
  : brokenAt && Date.now() - brokenAt > 1000 ? ["offline", `✕ Mất kết nối từ ${since}`]
  : !heardAt ? ["connecting", "○ Đang kết nối…"]
  : Date.now() - heardAt > 25_000 ? ["stale", `✕ Mất tín hiệu từ ${since}`] : ["live", "● Trực tuyến"];
async function call(path, body) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Last-Event-ID": position };
  const answer = await fetch(path, { method: body ? "POST" : "GET", body, headers, signal: link.signal });
  if (answer.status === 401 && path !== REDEEM) signOut("Mã truy cập không đúng hoặc đã hết hạn.");
  if (!answer.ok) throw await answer.json();
  return path === "/v1/stream" ? answer.body.pipeThrough(new TextDecoderStream()).getReader() : answer.json();
}
async function list(path, query) {
  const page = await call(`${path}?${new URLSearchParams({ limit: 500, ...query })}`);
  if (page.next) page.items.push(...(await list(path, { ...query, cursor: page.next })).items);
  return page;
}
async function snapshot() {
  const [kinds, units] = await Promise.all([list("/v1/kinds"), list("/v1/units")]), before = alerts;
  const police = units.items.filter((unit) => unit.kind === "commune_police");
  const placeOf = (unit) => unit.commune_codes.map((code) => [code, unit.name.replace("Công an ", "")]);
  names = new Map([...kinds.items.map((kind) => [kind.code, kind.vi]), ...police.flatMap(placeOf)]);
  const open = await list("/v1/alerts", { status: "open" });
  hearTick(open);
  const today = await list("/v1/alerts", { from: startOfDay() });
  alerts = new Map();
  for (const alert of [...open.items, ...today.items]) take(alert, before);
  [position, heardAt] = [open.stream_from, Date.now()]; // the oldest position: what comes twice has a known version
}
async function follow() {
  if (position === null) await snapshot();
  const reader = await call("/v1/stream");
  brokenAt = 0;
  for (let rest = ""; ; paint()) {
    const { done, value } = await reader.read(), blocks = (rest + value).split(/\r?\n\r?\n/);
    if (done) throw new Error("the stream has ended");
    rest = blocks.pop();
    for (const block of blocks) {
      const { event, id, data } = Object.fromEntries(block.split(/\r?\n/).map((line) => line.split(/: ?(.*)/s, 2)));
      if (event) [heardAt, waitMs, position] = [Date.now(), 500, event === "reset" ? null : id ?? position];
      if (event === "reset") return;
      ({ alert: take, tick: hearTick })[event]?.(JSON.parse(data));
    }
  }
}
async function stayLive() {
  [link, triedAt] = [new AbortController(), Date.now()];
  if (token) await follow().catch(() => link.signal.aborted || (brokenAt ||= Date.now()));
  if (!link.signal.aborted) await new Promise((go) => { wake = go; setTimeout(go, token ? waitMs : DAY_MS); });
  link.abort();
  waitMs = Math.min(waitMs * 2, 10_000);
  stayLive();
}
function take(alert, before = alerts) {
  if (alerts.get(alert.id)?.version >= alert.version) return;
  const known = before.get(alert.id), rang = !(known?.rings >= alert.rings), place = nameOf(alert.site.commune_code);
  alerts.set(alert.id, { ...alert, heardAt: rang ? now() : known.heardAt, order: order(alert) });
  if (!rang || !waits(alert)) return;
  mutedUntil = 0; // whoever silenced the last one has not heard this one
  if (Date.now() - touchedAt > 60_000) scrollTo(0, 0); // nobody is reading further down
  if (alert.severity < 3) put($("said"), `${nameOf(alert.kind)}: ${alert.site.name}, ${place}`);
}
async function enter(text) { // an access token, or an address that ends in a one-time code
  const code = /#login=(\S+)/.exec(text)?.[1], typed = text.replace(/[^!-~]/g, ""); // a header takes ASCII only
  const answer = code ? await call(REDEEM, JSON.stringify({ code })).catch((why) => why) : { token: typed };
  history.replaceState(null, "", "/"); // the code leaves the address and the history
  if (answer.token) localStorage.setItem(STORED, (token = answer.token));
  else if (!token) signOut(answer.detail ?? "Chưa nối được máy chủ, hãy thử lại.");
  position = null; // someone else may see another list
  reconnect();
}
function signOut(why) {
  [token, $("refused").textContent] = [null, why];
  localStorage.removeItem(STORED);
  paint();
  $("token").focus();
}
async function act(step, alert) {
  if (alert.note === SENDING) return;
  [selected, actedAt, alert.note] = [alert.id, Date.now(), SENDING];
  paint();
  const answer = await call(`/v1/alerts/${alert.id}/${DOOR[step]}`, "{}").catch((problem) => problem);
  if (answer.version || answer.alert) take(answer.alert ?? answer); // a 409 brings the present state
  if (alerts.has(alert.id)) alerts.get(alert.id).note = answer.version ? "" : answer.detail ?? "Chưa gửi được: bấm lại";
  paint();
}
function paintRow(alert) {
  const { id, status, severity, site, unit, rings, late, note = "" } = alert;
  const li = $(id) ?? $("row").content.firstElementChild.cloneNode(true);
  [li.id, li.className, li.dataset.severity, li.ariaCurrent] = [id, status, severity, id === selected];
  const tags = [late && "Báo muộn", rings > 1 && `Báo lại lần ${rings}`, FIRE.test(alert.kind) && "Cháy: gọi 114"];
  const parts = {
    severity: SEVERITY[severity], kind: nameOf(alert.kind), site: site.name, commune: nameOf(site.commune_code),
    unit: unit.name, tags: tags.filter(Boolean).join(" · "), progress: progress(alert) || "Chưa ai tiếp nhận", note,
    since: elapsed((ms(alert.stood_down_at) || now()) - ms(alert.effective_at)),
  };
  for (const part of li.querySelectorAll("[data-part]")) put(part, parts[part.dataset.part]);
  for (const button of li.querySelectorAll("button")) {
    button.firstChild.hidden = target(Number(button.value)) !== alert; // the key is printed where it acts
    button.hidden = button.firstChild.hidden && !(button.value === "1" && waits(alert));
  }
  return li;
}
function paint() {
  const open = [...alerts.values()].filter(({ stood_down_at: ended }) => !ended || now() - ms(ended) < 60_000);
  rows = open.sort((a, b) => waits(b) - waits(a) || byOrder(a, b)).slice(0, 200).sort(byOrder); // never cuts who waits
  const lines = rows.map(paintRow), list = $("alerts"), [live, told] = state(), waiting = open.filter(waits).length;
  for (const li of [...list.children]) if (!lines.includes(li)) li.remove();
  lines.forEach((li, i) => li === list.children[i] || list.insertBefore(li, list.children[i]));
  [document.body.dataset.state, $("sign-in").hidden, $("quiet").hidden] = [live, token, rows.length || !token];
  const wrong = !/live|connecting/.test(live) && "Tin mới chưa đến được màn hình này. Cần gấp: gọi 113.";
  const texts = {
    waiting: waiting ? `${waiting} chưa tiếp nhận` : "", live: told, sounding: paintSound(), clock: clock(now()),
    notices: [wrong, ...tick.notices].filter(Boolean).join("\n"), duty: live === "live" ? "Đang trực" : told.slice(2),
    held: tick.held_old ? `${tick.held_old} tin cũ hơn 24 giờ, chỉ ghi nhận` : "",
    more: open.length > 200 ? `và ${open.length - 200} tin báo nữa` : rows.length > 1 ? "Phím ↑ ↓: chọn tin báo" : "",
  };
  for (const [id, text] of Object.entries(texts)) put($(id), text);
  const from = startOfDay(), today = [...alerts.values()].filter((alert) => alert.raised_at >= from);
  const kinds = [...new Map(today.map((alert) => [alert.incident_id, nameOf(alert.kind)])).values()]; // incidents
  const counts = [...new Set(kinds)].map((kind) => [kinds.filter((other) => other === kind).length, kind]);
  const tiles = [[kinds.length, "vụ hôm nay"], ...counts.sort((a, b) => b[0] - a[0]).slice(0, 4)];
  [...$("today").children].forEach((li, i) => [0, 1].forEach((j) => put(li.children[j], String(tiles[i]?.[j] ?? ""))));
  alerts = new Map([...open, ...today].map((alert) => [alert.id, alert])); // the screen runs for months
}
function paintSound() { // the highest severity that waits is heard
  const mutedS = Math.ceil((mutedUntil - Date.now()) / 1000), loud = soundsHere && mutedS <= 0 && rows.find(sounds);
  const name = !loud ? "" : FIRE.test(loud.kind) ? "fire" : String(loud.severity), { dataset } = $("sound");
  if (name !== dataset.playing) {
    source?.stop();
    source = name ? new AudioBufferSourceNode(audio, { buffer: waveOf(...SOUNDS[name]), loop: true }) : null;
    source?.connect(audio.destination);
    source?.start();
  }
  const [mode, told] = !soundsHere ? ["elsewhere", "Tiếng ở cửa sổ khác"]
    : audio.state !== "running" ? ["blocked", "Chưa có tiếng: bấm phím bất kỳ"]
    : mutedS > 0 ? ["muted", `Tắt tiếng còn ${mutedS} giây`] : ["on", "Có tiếng"];
  [dataset.playing, dataset.state] = [name, mode];
  return told;
}
function waveOf(strokeS, loop) { // rounded strokes, so that nothing clicks; low and rich, for old ears
  const rate = audio.sampleRate, buffer = audio.createBuffer(1, strokeS * loop.length * rate, rate);
  const stroke = (t) => loop[Math.floor(t / strokeS)] * Math.abs(Math.sin((Math.PI * t) / strokeS)) ** 0.3;
  const tone = (t) => Math.tanh(2 * Math.sin(2 * Math.PI * 520 * t));
  buffer.getChannelData(0).forEach((_, i, wave) => { wave[i] = stroke(i / rate) * tone(i / rate); });
  return buffer;
}
addEventListener("keydown", (event) => { // by event.code: typing Vietnamese rewrites event.key
  touched();
  if (event.target.closest?.("input") || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  const by = MOVES[event.code], step = KEYS[event.code], alert = step && target(step);
  if (by) {
    event.preventDefault();
    select(rows[Math.min(Math.max(rows.findIndex(({ id }) => id === selected) + by, 0), rows.length - 1)]?.id);
  }
  if (event.code === "KeyM" && !event.repeat) mute();
  if (alert && !event.repeat) act(step, alert);
});
$("alerts").addEventListener("click", ({ target: clicked }) => {
  const alert = alerts.get(clicked.closest("li")?.id), step = clicked.closest("button")?.value;
  select(alert?.id);
  if (step) act(step, alert);
});
$("sound").addEventListener("click", mute);
$("sign-in").addEventListener("submit", (event) => { event.preventDefault(); enter($("token").value); });
for (const touch of ["pointerdown", "wheel"]) addEventListener(touch, touched);
addEventListener("hashchange", () => location.hash && enter(location.hash));
addEventListener("online", reconnect);
document.addEventListener("visibilitychange", () => Date.now() - heardAt > 12_000 && reconnect());
navigator.locks?.request("vong-gac-sound", () => new Promise(() => { soundsHere = true; paint(); })); // in one window
setInterval(() => Date.now() - Math.max(heardAt, triedAt) > 20_000 && reconnect(), 5000);
setInterval(paint, 1000);
if (location.hash) enter(location.hash);
stayLive();
