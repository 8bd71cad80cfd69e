"""Unmanaged models: what `inspectdb` writes, with the names and keys that it asks one to mend."""

import uuid

from django.db import models


class Row(models.Model):
    # Django wants to know the key of a new row.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        abstract = True
        managed = False


class Pipeline(Row):
    name = models.TextField()

    class Meta(Row.Meta):
        db_table = "pipelines"


class Stage(Row):
    pipeline = models.ForeignKey(Pipeline, models.DO_NOTHING)
    name = models.TextField()
    position = models.IntegerField()

    class Meta(Row.Meta):
        db_table = "stages"


class Tag(Row):
    name = models.TextField()

    class Meta(Row.Meta):
        db_table = "tags"


class Owner(Row):
    name = models.TextField()

    class Meta(Row.Meta):
        db_table = "owners"


class Deal(Row):
    # What the CRM fills may be null in a new object, which is sent as it is.
    tenant_id = models.UUIDField(null=True)
    pipeline = models.ForeignKey(Pipeline, models.DO_NOTHING, null=True)
    stage = models.ForeignKey(Stage, models.DO_NOTHING, null=True)
    status = models.TextField(null=True)
    title = models.TextField()
    amount = models.DecimalField(max_digits=38, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    probability = models.DecimalField(max_digits=38, decimal_places=4, null=True)
    owner = models.ForeignKey(Owner, models.DO_NOTHING, null=True)
    external_id = models.TextField(null=True)
    metadata = models.JSONField(null=True)
    stage_entered_at = models.DateTimeField(null=True)
    move_no = models.IntegerField(null=True)
    version = models.IntegerField(null=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(null=True)
    tags = models.ManyToManyField(Tag, through="DealTag")

    class Meta(Row.Meta):
        db_table = "deals"


class DealTag(Row):
    # inspectdb makes of the key's first column a OneToOneField; the id is as good a key.
    deal = models.ForeignKey(Deal, models.DO_NOTHING)
    tag = models.ForeignKey(Tag, models.DO_NOTHING)

    class Meta(Row.Meta):
        db_table = "deal_tags"


class StageChange(Row):
    deal = models.ForeignKey(Deal, models.DO_NOTHING)
    to_stage = models.ForeignKey(Stage, models.DO_NOTHING)
    move_no = models.IntegerField()

    class Meta(Row.Meta):
        db_table = "stage_changes"
