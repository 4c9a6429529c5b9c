import { useEffect, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { Field, Frame } from "../ui/Ask";
import { Copy } from "../ui/Copy";
import { Loading } from "../ui/Panel";
import { useNotify } from "../ui/Toasts";
import type { Account } from "./account";
import type { OwnAlerts as Known, Sent } from "./schema";

type Channel = "webhook" | "discord" | "telegram";

const names: Record<string, string> = { email: "E-mail", webhook: "Webhook", discord: "Discord", telegram: "Telegram" };
const hints: Record<Channel, string> = {
  webhook: "https://…, where JSON is posted.",
  discord: "https://discord.com/api/webhooks/…",
  telegram: "Number of a chat with the pool's bot, or @channel.",
};

interface Props {
  account: Account;
  address: string;
  onClose: () => void;
}

/** `[TELL_ME]`: what is told of an address of one's own, and where. */
export function OwnAlerts({ account, address, onClose }: Props) {
  const [known, setKnown] = useState<Known | null>(null);
  const [places, setPlaces] = useState<Partial<Record<Channel, string>>>({});
  const [sent, setSent] = useState<readonly Sent[]>([]);
  const [key, setKey] = useState<string | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const notify = useNotify();
  useEffect(() => {
    void account.api.ownAlerts(address).then((answer) => {
      if (answer.ok) setKnown(answer.value);
      else setFailure(answer.failure);
    });
  }, [account, address]);
  const set = (change: Partial<Known>) => setKnown((before) => before && { ...before, ...change });
  const keep = async () => {
    if (known === null) return null;
    const answer = await account.api.setOwnAlerts(address, known, places);
    if (!answer.ok) return answer.failure;
    setKnown(answer.value);
    setPlaces({});
    setSent(answer.value.sent);
    if (answer.value.sent.length > 0) return null;
    notify("success", "Kept.", "own-alerts");
    onClose();
    return null;
  };
  const test = async () => {
    setFailure(null);
    const answer = await account.api.testOwnAlerts(address);
    if (answer.ok) setSent(answer.value.sent);
    else setFailure(answer.failure);
  };
  const confirm = async (channel: Channel, code: string) => {
    setFailure(null);
    const answer = await account.api.confirmOwnAlerts(address, channel, code);
    if (!answer.ok) return setFailure(answer.failure);
    setKnown((before) => before && { ...before, channels: answer.value.channels });
    setSent([]);
    notify("success", `${names[channel]}: you will hear of it there.`, "own-alerts");
  };
  const makeKey = async () => {
    setFailure(null);
    const answer = await account.api.keyOfOwnAlerts(address);
    if (answer.ok) setKey(answer.value.password);
    else setFailure(answer.failure);
  };
  return (
    <Frame title="TELL_ME" act="KEEP" wide ready={known?.offered === true} onAct={keep} onClose={onClose}>
      <p className="note break own-of">
        Of <strong>{address}</strong>
      </p>
      {known === null && failure === null && <Loading what="what you hear of" lines={4} />}
      {known && !known.offered && <p className="warn">This pool does not offer it.</p>}
      {known && (
        <>
          <fieldset className="own-part">
            <legend>WHAT</legend>
            <div className="own-limits">
              <Field
                label="A worker is offline for, minutes"
                hint="1 to 1440; 0 is not told."
                numeric
                value={String(known.worker_offline_minutes)}
                onChange={(text) => set({ worker_offline_minutes: whole(text) })}
              />
              <Field
                label="The hash rate falls by, percent"
                hint="10 to 95, below that of the hour; 0 is not told."
                numeric
                value={String(known.hashrate_drop_percent)}
                onChange={(text) => set({ hashrate_drop_percent: whole(text) })}
              />
            </div>
            <Tick label="A payout is sent" on={known.payout} onChange={(payout) => set({ payout })} />
            <Tick label="A block is found" on={known.block} onChange={(block) => set({ block })} />
          </fieldset>
          <fieldset className="own-part">
            <legend>WHERE</legend>
            <Tick
              label={
                known.email_confirmed ? "By mail, to your confirmed address" : "By mail: confirm your address first"
              }
              on={known.email}
              disabled={!known.email_confirmed && !known.email}
              onChange={(email) => set({ email })}
            />
            {(["webhook", "discord", "telegram"] as const)
              .filter((channel) => channel !== "telegram" || known.telegram_offered)
              .map((channel) => (
                <Place
                  key={channel}
                  channel={channel}
                  there={known.channels.find((one) => one.channel === channel) ?? null}
                  value={places[channel]}
                  onChange={(to) => setPlaces((before) => ({ ...before, [channel]: to }))}
                  onConfirm={(code) => confirm(channel, code)}
                />
              ))}
          </fieldset>
          {sent.length > 0 && <Outcome sent={sent} />}
          <div className="acts">
            <button type="button" className="button button-small" onClick={() => void test()}>
              SEND A TEST
            </button>
            <button type="button" className="button button-small" onClick={() => void makeKey()}>
              {known.key ? "NEW PASSWORD FOR MACHINES" : "PASSWORD FOR MACHINES"}
            </button>
          </div>
        </>
      )}
      {key !== null && (
        <div className="own-key">
          <p className="note">
            A miner with this password may change what you hear of (mining.configure_notifications), and nothing else.
            It is shown once; the one before is void.
          </p>
          <code className="secret" data-testid="own-key">
            {key}
          </code>
          <div className="acts">
            <Copy text={key} what="the password" />
          </div>
        </div>
      )}
      {failure && <FailureCard failure={failure} />}
    </Frame>
  );
}

const whole = (text: string) => Number.parseInt(text.replace(/\D/g, ""), 10) || 0;

interface TickProps {
  label: string;
  on: boolean;
  disabled?: boolean;
  onChange: (on: boolean) => void;
}

function Tick({ label, on, disabled = false, onChange }: TickProps) {
  return (
    <label className="tick">
      <input type="checkbox" checked={on} disabled={disabled} onChange={(event) => onChange(event.target.checked)} />{" "}
      {label}
    </label>
  );
}

interface PlaceProps {
  channel: Channel;
  there: Known["channels"][number] | null;
  /** What is typed; "" takes it away, nothing leaves it as it is. */
  value: string | undefined;
  onChange: (to: string | undefined) => void;
  onConfirm: (code: string) => Promise<void>;
}

function Place({ channel, there, value, onChange, onConfirm }: PlaceProps) {
  const [code, setCode] = useState("");
  const name = names[channel] ?? channel;
  if (there === null || (value !== undefined && value !== ""))
    return (
      <Field label={name} hint={hints[channel]} value={value ?? ""} onChange={(to) => onChange(to || undefined)} />
    );
  const goes = value === "";
  return (
    <div className="own-place" data-testid={`own-${channel}`}>
      <div className="own-place-line">
        <strong>{name}</strong>
        <span className={goes ? "break own-gone" : "break"}>{there.to}</span>
        <span className={there.confirmed ? "tag" : "tag tag-warn"}>
          {there.confirmed ? "confirmed" : "not confirmed"}
        </span>
        <button
          type="button"
          className="button button-small button-quiet"
          aria-label={goes ? `Undo removing ${name}` : `Remove ${name}`}
          onClick={() => onChange(goes ? undefined : "")}
        >
          {goes ? "UNDO" : "REMOVE"}
        </button>
      </div>
      {!there.confirmed && !goes && (
        <div className="own-code">
          <Field
            label={`Code that was sent to ${name}`}
            hint="Eight digits, good for a day. Nothing else is sent there before."
            numeric
            value={code}
            onChange={setCode}
          />
          <button
            type="button"
            className="button button-small"
            disabled={code.trim().length !== 8}
            onClick={() => void onConfirm(code.trim())}
          >
            CONFIRM
          </button>
        </div>
      )}
    </div>
  );
}

/** What came of messages: codes, or a test. */
function Outcome({ sent }: { sent: readonly Sent[] }) {
  return (
    <ul className="own-sent" data-testid="own-sent" aria-live="polite">
      {sent.map((one) => (
        <li key={one.channel} className={one.ok ? "" : "warn"}>
          {names[one.channel] ?? one.channel}: {one.ok ? "taken" : `not taken (${one.message ?? "no reason"})`}
        </li>
      ))}
    </ul>
  );
}
