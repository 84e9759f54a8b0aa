// Keeps about the same fields as our view `timeline`, as one would write it for nginx.
import crypto from 'crypto';

function contact(r) {
    var id = r.uri.slice('/execution-contacts/'.length);
    r.subrequest('/hilos/' + id, function (reply) {
        if (reply.status !== 200) {
            r.return(502);
            return;
        }
        var body = JSON.stringify(trimmed(JSON.parse(reply.responseText)));
        r.headersOut['Content-Type'] = 'application/json; charset=utf-8';
        r.headersOut['Cache-Control'] = 'private, no-cache';
        r.headersOut.ETag = '"' + crypto.createHash('sha256').update(body).digest('base64url').slice(0, 27) + '"';
        r.return(200, body);
    });
}

function trimmed(d) {
    var c = d.contact, f = d.flow, v = d.flow_version, ch = f.channel;
    return {
        id: d.id, status: d.status, statusRaw: null, terminal: d.status === 'COMPLETED', reason: d.status_reason,
        isTest: d.is_test, startedAt: d.created_on, statusChangedAt: d.status_last_change_on,
        endedAt: d.status_last_change_on, lastActivityAt: d.status_last_change_on, changedBy: null,
        executionId: d.flow_execution, inboxContactId: d.inbox_contact_id,
        flow: {
            id: f.id, name: f.name, trigger: f.trigger_type,
            version: { id: v.id, name: v.version_name, isCurrent: v.is_current_version },
            channel: { type: ch.channel_type, name: ch.name, isSandbox: ch.is_sandbox }
        },
        contact: {
            ref: 'ct_00000000', id: c.id, name: c.first_name + ' ' + c.last_name, phone: c.canonical_phone,
            email: c.email, isDeleted: c.is_deleted, masked: false, meta: {}
        },
        progress: {
            steps: d.execution_steps.length,
            completed: d.execution_steps.filter(function (s) { return s.status === 'COMPLETED'; }).length,
            failed: 0, currentStepId: null, waitingFor: null, expiresAt: null
        },
        steps: d.execution_steps.map(step),
        answers: d.execution_steps.filter(isAnswered).map(answer)
    };
}

function step(e) {
    var d = e.step;
    return {
        id: e.id, definitionId: d.id, name: d.name, type: d.step_type, status: e.status, statusRaw: null,
        reason: d.action_request_url ? null : e.status_reason,
        reasonWithheld: Boolean(d.action_request_url && e.status_reason), hasError: e.has_error,
        startedAt: e.created_on, changedAt: e.status_last_change_on, expiresAt: e.expire_on, delayUntil: d.delay_until,
        failedAttempts: e.validation_failed_attempts,
        maxAttempts: d.has_max_answer_attempts ? d.max_answer_attempts : null,
        question: d.answer_type ? { answerType: d.answer_type, options: d.answer_options || [] } : null,
        messageIds: e.messages.map(function (m) { return m.message.id; })
    };
}

function isAnswered(e) {
    return e.step.answer_type && e.messages.some(function (m) { return m.message.direction === 'INBOUND'; });
}

function answer(e) {
    var replies = e.messages.filter(function (m) { return m.message.direction === 'INBOUND'; });
    var last = replies[replies.length - 1].message;
    return {
        stepId: e.id, question: e.step.name, answerType: e.step.answer_type, value: last.body, at: last.timestamp,
        messageId: last.id
    };
}

export default { contact };
