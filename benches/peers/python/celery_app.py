"""Deliveries as a Celery application: acknowledged after the work, put off when it failed."""

import os

import requests
from celery import Celery

app = Celery("peer", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True, worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 60}, broker_connection_retry_on_startup=True,
)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=32, pool_maxsize=64))


@app.task(bind=True, max_retries=None)
def deliver(self, url, key, line):
    try:
        session.post(url, data=line.encode(), headers={"Idempotency-Key": key}, timeout=2).raise_for_status()
    except requests.RequestException as e:
        raise self.retry(exc=e, countdown=min(30, 2**self.request.retries))
