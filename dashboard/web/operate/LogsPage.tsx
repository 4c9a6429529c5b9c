import "./operate.css";
import {
  type KeyboardEvent,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import { useSettled } from "../feed/poll";
import { plural, whole } from "../format/number";
import { localTime, localTimeOfDay, utcTime } from "../format/time";
import { Field } from "../ui/Ask";
import { Copy } from "../ui/Copy";
import { Empty, Fact, Facts, Loading, Panel } from "../ui/Panel";
import { useNotify } from "../ui/Toasts";
import { type LogFilter, OperateApi } from "./api";
import { type Line, levels } from "./schema";
import { keptMax, lineText, Tail } from "./tail";

/** Height of a line, pixels; the style says the same. */
const rowPx = 24;
/** Lines drawn beyond the edge. */
const spare = 12;

interface LogsPageProps extends PageProps {
  /** For tests. */
  api?: OperateApi;
}

/** `[LOGS]`: the last lines of the log, as they come. */
export default function LogsPage({ session, account, nav, api }: LogsPageProps) {
  const routes = useMemo(() => api ?? new OperateApi(account.token), [api, account]);
  return (
    <PageFrame session={session} nav={nav} title="LOGS" name="Logs">
      <Guard account={account} needs="operator">
        <Body api={routes} />
      </Guard>
    </PageFrame>
  );
}

function Body({ api }: { api: OperateApi }) {
  const notify = useNotify();
  const [filter, setFilter] = useState<LogFilter>({ level: "", category: "", search: "" });
  const search = useSettled(filter.search.trim());
  const { level, category } = filter;
  const tail = useMemo(() => new Tail(api), [api]);
  const state = useSyncExternalStore(tail.subscribe, tail.shown);
  useEffect(() => {
    tail.start({ level, category, search });
    return () => tail.stop();
  }, [tail, level, category, search]);
  const [chosen, setChosen] = useState<number | null>(null);
  const paused = state.phase === "paused";
  const line = state.lines.find(({ seq }) => seq === chosen) ?? null;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(state.lines.map(lineText).join("\n"));
      notify("success", `${plural(state.lines.length, "line")} copied`, "logs");
    } catch {
      notify("warning", "The browser does not let this page copy; dagpool logs prints the same lines.", "logs");
    }
  };
  return (
    <Panel
      title="LIVE_TAIL"
      freshness={state.failure ? "stale" : "fresh"}
      aside={
        <span className="asides">
          <span className="count" data-testid="log-count">
            {plural(state.lines.length, "line")}
          </span>
          <button
            type="button"
            className="button"
            aria-pressed={paused}
            onClick={() => (paused ? tail.resume() : tail.pause())}
          >
            {paused ? "RESUME" : "PAUSE"}
          </button>
          <button
            type="button"
            className="button"
            disabled={state.lines.length === 0}
            title={state.lines.length === 0 ? "There is no line to copy yet." : undefined}
            onClick={() => void copy()}
          >
            COPY
          </button>
        </span>
      }
    >
      <div className="people-filter">
        <Choice
          label="This bad or worse"
          value={level}
          options={levels}
          all="every level"
          onChange={(level) => setFilter({ ...filter, level })}
        />
        <Choice
          label="About"
          value={category}
          options={state.categories}
          all="everything"
          onChange={(category) => setFilter({ ...filter, category })}
        />
        <Field
          label="With the text"
          placeholder="an account, an id, a word"
          value={filter.search}
          onChange={(text) => setFilter({ ...filter, search: text })}
        />
      </div>
      {state.failure && <FailureCard failure={state.failure} />}
      {state.missed > 0 && (
        <p className="warn note">{plural(state.missed, "line")} came faster than they were read, and are not kept.</p>
      )}
      {state.lines.length === 0 && state.phase === "asking" && state.failure === null && (
        <Loading what="the log" lines={8} />
      )}
      {state.lines.length === 0 && state.phase !== "asking" && (
        <Empty title="NO_LINES">
          {level || category || search
            ? "No line that is kept fits; new ones appear as they come."
            : "Nothing was logged yet, or [log] kept_lines is 0."}
        </Empty>
      )}
      {state.lines.length > 0 && (
        <Lines
          lines={state.lines}
          chosen={chosen}
          onChoose={setChosen}
          onOlder={state.older === null ? null : () => void tail.older()}
        />
      )}
      {line && <Details line={line} onClose={() => setChosen(null)} />}
      <p className="note">
        {state.behind
          ? "Paused: the newest lines made room for older ones, and come back with RESUME."
          : paused
            ? "Paused: new lines wait in the pool."
            : "New lines appear as they come."}{" "}
        The page keeps {whole(keptMax)} lines; <code>dagpool logs --follow</code> prints the same.
      </p>
    </Panel>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly string[];
  all: string;
  onChange: (value: string) => void;
}

function Choice({ label, value, options, all, onChange }: ChoiceProps) {
  const id = useId();
  return (
    <div className="ask-field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={({ target }) => onChange(target.value)}>
        <option value="">{all}</option>
        {options.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      {/* As tall as a field with its hint. */}
      <p className="note" />
    </div>
  );
}

interface LinesProps {
  lines: readonly Line[];
  chosen: number | null;
  onChoose: (seq: number | null) => void;
  onOlder: (() => void) | null;
}

/** Only what is seen is drawn, so that ten thousand lines cost no more than fifty. It stays at the end until one scrolls up. */
function Lines({ lines, chosen, onChoose, onOlder }: LinesProps) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [view, setView] = useState({ top: 0, height: 600 });
  const first = lines[0]?.seq ?? 0;
  const firstBefore = useRef(first);
  const count = lines.length;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    if (atEnd.current) element.scrollTop = element.scrollHeight;
    else if (first < firstBefore.current) {
      // Older lines came in front: what is looked at stays where it is.
      const before = lines.findIndex(({ seq }) => seq === firstBefore.current);
      element.scrollTop += Math.max(0, before) * rowPx;
    }
    firstBefore.current = first;
    setView({ top: element.scrollTop, height: element.clientHeight || 600 });
  }, [first, lines]);
  const scrolled = () => {
    const element = box.current;
    if (!element) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < rowPx;
    setView({ top: element.scrollTop, height: element.clientHeight || 600 });
  };
  const from = Math.max(0, Math.floor(view.top / rowPx) - spare);
  const to = Math.min(count, Math.ceil((view.top + view.height) / rowPx) + spare);
  const move = (event: KeyboardEvent) => {
    const at = lines.findIndex(({ seq }) => seq === chosen);
    const steps: Record<string, number> = {
      ArrowDown: at < 0 ? count - 1 : at + 1,
      ArrowUp: at < 0 ? count - 1 : at - 1,
      Home: 0,
      End: count - 1,
    };
    const wanted = steps[event.key];
    if (event.key === "Escape") onChoose(null);
    if (wanted === undefined) return;
    event.preventDefault();
    const index = Math.min(count - 1, Math.max(0, wanted));
    onChoose(lines[index]?.seq ?? null);
    const element = box.current;
    if (!element) return;
    const top = index * rowPx;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowPx > element.scrollTop + element.clientHeight)
      element.scrollTop = top + rowPx - element.clientHeight;
  };
  return (
    <>
      {onOlder && (
        <button type="button" className="button button-small log-older" onClick={onOlder}>
          OLDER
        </button>
      )}
      <div
        ref={box}
        className="log"
        role="listbox"
        tabIndex={0}
        aria-label="Lines of the log"
        aria-activedescendant={chosen === null ? undefined : `${id}-${chosen}`}
        onScroll={scrolled}
        onKeyDown={move}
      >
        <div className="log-room" role="presentation" style={{ height: count * rowPx }}>
          <div className="log-window" role="presentation" style={{ transform: `translateY(${from * rowPx}px)` }}>
            {lines.slice(from, to).map((line, index) => (
              <Row
                key={line.seq}
                id={`${id}-${line.seq}`}
                line={line}
                place={from + index + 1}
                count={count}
                chosen={line.seq === chosen}
                onChoose={onChoose}
              />
            ))}
          </div>
        </div>
      </div>
    </>
  );
}

interface RowProps {
  id: string;
  line: Line;
  place: number;
  count: number;
  chosen: boolean;
  onChoose: (seq: number | null) => void;
}

function Row({ id, line, place, count, chosen, onChoose }: RowProps) {
  const { at, level, category, message, fields, seq } = line;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names its line
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
    <div
      id={id}
      className={`log-line log-${level}`}
      role="option"
      aria-selected={chosen}
      aria-setsize={count}
      aria-posinset={place}
      onClick={() => onChoose(chosen ? null : seq)}
    >
      <span className="log-time">{localTimeOfDay(Date.parse(at))}</span>
      <span className="log-level">{level.toUpperCase()}</span>
      <span className="log-category">{category}</span>
      <span className="log-text">
        {message}
        {Object.entries(fields).map(([name, value]) => (
          <span className="log-field" key={name}>
            {" "}
            {name}={value}
          </span>
        ))}
      </span>
    </div>
  );
}

function Details({ line, onClose }: { line: Line; onClose: () => void }) {
  const at = Date.parse(line.at);
  return (
    <section className="log-details" aria-label="The chosen line" data-testid="log-details">
      <p className="log-message">{line.message}</p>
      <Facts>
        <Fact name="When">
          <time dateTime={line.at} title={utcTime(at)}>
            {localTime(at)}
          </time>
        </Fact>
        <Fact name="Level">{line.level}</Fact>
        <Fact name="About">{line.category}</Fact>
        <Fact name="Module" wide>
          {line.target}
        </Fact>
        {Object.entries(line.fields).map(([name, value]) => (
          <Fact name={name} key={name} wide>
            {value}
          </Fact>
        ))}
      </Facts>
      <div className="acts">
        <Copy text={lineText(line)} what="the line" />
        <button type="button" className="button button-small button-quiet" onClick={onClose}>
          CLOSE
        </button>
      </div>
    </section>
  );
}
