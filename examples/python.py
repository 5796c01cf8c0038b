"""One audit event through the OpenTelemetry SDK: python examples/python.py [http://host:4318]"""

import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

collector = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4318"
provider = LoggerProvider(Resource({"service.name": "shop"}))
provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{collector}/v1/logs")))
provider.get_logger("shop.audit").emit(
    event_name="order.refunded",
    severity_number=SeverityNumber.INFO,
    body="Order SO-1042 was refunded",
    attributes={
        "user.id": "u-17",
        "user.name": "jane",
        "client.address": "81.2.69.142",
        "audit.target.type": "order",
        "audit.target.id": "SO-1042",
        "audit.outcome": "success",
        "audit.changes": {"status": {"before": "paid", "after": "refunded"}},
    },
)
provider.shutdown()
