// Emits one audit event through the SDK: node emit.mjs URL COMPRESSION BODY SECONDS NANOSECONDS
import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';

const [url, compression, body, seconds, nanoseconds] = process.argv.slice(2);

const provider = new LoggerProvider({
  resource: resourceFromAttributes({
    'service.name': 'checkout',
    'deployment.environment.name': 'staging',
    'tenant.id': 'acme',
    'process.pid': 4711,
  }),
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url, compression }) })],
});

const span = {
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  traceFlags: TraceFlags.SAMPLED,
};

provider.getLogger('checkout.audit', '4.5.6', { schemaUrl: 'https://example.org/schema' }).emit({
  eventName: 'order.cancelled',
  timestamp: [Number(seconds), Number(nanoseconds)],
  observedTimestamp: [Number(seconds), Number(nanoseconds) + 500],
  severityNumber: SeverityNumber.ERROR,
  severityText: 'ERROR',
  body,
  context: trace.setSpanContext(ROOT_CONTEXT, span),
  attributes: {
    'user.id': 'u-17',
    'user.name': 'Änna',
    'user.email': 'anna@example.org',
    'audit.actor.type': 'service',
    'audit.on_behalf_of': 'u-1',
    'client.address': '2001:db8::17',
    'geo.country.iso_code': 'DE',
    'geo.locality.name': 'Köln',
    'geo.location.lat': 50.938,
    'geo.location.lon': 6.96,
    'audit.target.type': 'order',
    'audit.target.id': 'o-1',
    'audit.target.name': 'Order "1"',
    'session.id': 's-1',
    'user_agent.original': 'Mozilla/5.0',
    'audit.changes': { state: { before: 'open', after: 'cancelled' }, notes: { after: 'late' } },
    'error.type': 'out_of_stock',
    details: { list: [1, 'two', { three: 3.5 }], none: null, empty: '' },
    big: 9007199254740991,
    ratio: 0.5,
    ok: true,
    nothing: [],
    raw: new Uint8Array([0, 255]),
  },
});

await provider.shutdown();
