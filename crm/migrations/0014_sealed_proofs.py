"""What proves a consent is sealed with the person's key; nothing was recorded before this."""

from django.db import migrations

import crm.encryption.fields


class Migration(migrations.Migration):
    dependencies = [("crm", "0013_answered_requests")]

    operations = [
        migrations.RemoveField(model_name="consenteventperson", name="details"),
        migrations.AddField(
            model_name="consenteventperson",
            name="details",
            field=crm.encryption.fields.EncryptedJSONField(
                blank=True,
                editable=False,
                help_text="Proof, guardian, address, browser.",
                null=True,
                person="profile_id",
                row=("pk",),
                verbose_name="details",
            ),
        ),
    ]
